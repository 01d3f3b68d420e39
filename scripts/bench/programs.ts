/** Builds and starts the programs that are measured, each a process of its own. */
import { basename, join } from "@std/path";
import { V8_FLAGS } from "../build/permissions.ts";
import { bindingFlags, projectPath } from "../task/bindings.ts";

/** A program, to be started with more arguments. */
export interface Program {
  command: string;
  args: string[];
  /** The way it was built. */
  how: "compiled" | "from source";
}

/**
 * Runs a command to its end and returns its standard output.
 *
 * @throws {Error} if it fails, with its standard error.
 */
export async function run(
  command: string,
  args: string[],
  input = "",
): Promise<string> {
  const child = new Deno.Command(command, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [{ success, stdout, stderr }] = await Promise.all([
    child.output(),
    // One that fails before it has read all says so itself.
    new Blob([input]).stream().pipeTo(child.stdin).catch(() => {}),
  ]);
  const text = new TextDecoder();
  if (success) return text.decode(stdout);
  const shown = [command, ...args].join(" ").slice(0, 300);
  throw new Error(`Cannot measure, "${shown}" failed:\n${text.decode(stderr)}`);
}

/** Runs one of the benchmark's own programs, which reads JSON and prints JSON. */
export async function runOwn<T>(path: string, input: unknown): Promise<T> {
  const { command, args } = fromSource(`scripts/bench/${path}`);
  const output = await run(command, args, JSON.stringify(input));
  return JSON.parse(output || "null");
}

/** Reads the input given to {@linkcode runOwn}; for the program that it runs. */
export async function readInput<T>(): Promise<T> {
  return await new Response(Deno.stdin.readable).json();
}

function fromSource(path: string): Program {
  return {
    command: Deno.execPath(),
    args: [
      ...["run", "--quiet", "-A", V8_FLAGS, ...bindingFlags()],
      projectPath(path),
    ],
    how: "from source",
  };
}

/**
 * Builds the agent's executable. From source if that is not wanted or does not
 * work: `deno compile` downloads a part of itself, which some networks refuse.
 */
export async function compileAgent(
  dir: string,
  isWanted: boolean,
): Promise<Program> {
  const { command, args } = fromSource("scripts/build/compile.ts");
  const output = join(dir, "jarvis-agent");
  const built = isWanted && run(command, [...args, "--output", output]);
  return await Promise.resolve(built).catch(() => false) === false
    ? fromSource("main.ts")
    : { command: output, args: [], how: "compiled" };
}

/** An empty program, built as `like` is. */
export async function compileEmpty(
  dir: string,
  like: Program,
): Promise<Program> {
  const source = join(dir, "empty.ts");
  await Deno.writeTextFile(source, "export {};\n");
  const flags = ["-A", "--quiet", "--no-config", "--no-lock"];
  const deno = Deno.env.get("DENO_FOR_COMPILE") ?? Deno.execPath();
  const { how } = like;
  if (how === "from source") {
    return { command: deno, args: ["run", ...flags, source], how };
  }
  const output = join(dir, "empty");
  await run(deno, ["compile", ...flags, "--output", output, source]);
  return { command: output, args: [], how };
}

/** Builds one of the benchmark's C programs into a folder and returns its path. */
export async function compileC(dir: string, name: string): Promise<string> {
  const program = join(dir, basename(name, ".c"));
  const source = projectPath(`scripts/bench/${name}`);
  await run("cc", ["-O2", "-o", program, source, "-ldl", "-lpthread"]);
  return program;
}

/** The captures that the receiver has got since it was last asked. */
export interface Received {
  captures: number;
  /** How long all captures together waited for their answers once they were there, in milliseconds. */
  heldMs: number;
  /** When the head of the last capture came, in milliseconds since 1970. */
  lastStartedMs: number;
}

/** The server of the benchmark, `receiver.c`, in a process of its own. */
export class Receiver implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Compiles it into a folder and starts it. */
  static async start(dir: string): Promise<Receiver> {
    const program = await compileC(dir, "receiver.c");
    const child = new Deno.Command(program, { stdout: "piped" }).spawn();
    // It prints its port and no more.
    const reader = child.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return new Receiver(child, Number(new TextDecoder().decode(value)));
  }

  /** Returns the captures received since the last call, and sets how long answers wait from now on. */
  async take({ latencyMs = 0 } = {}): Promise<Received> {
    const response = await fetch(`${this.url}/control?latencyMs=${latencyMs}`);
    return await response.json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}
