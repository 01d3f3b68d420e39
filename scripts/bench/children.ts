/** Starts the programs that are measured, each in a process of its own. */
import { basename } from "@std/path";
import { bindingFlags, projectPath } from "../task/bindings.ts";
import { V8_FLAGS } from "../build/permissions.ts";
import type { Received } from "./receiver.ts";

/**
 * Runs a command to its end and returns what it wrote to standard output. What
 * it reads is for what an argument has no room for: thousands of paths.
 *
 * @throws {Error} if it fails, with what it wrote to standard error.
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
    ReadableStream.from([new TextEncoder().encode(input)])
      .pipeTo(child.stdin).catch(() => {}),
  ]);
  const text = new TextDecoder();
  if (!success) {
    throw new Error(
      `Cannot measure, "${command} ${args.join(" ")}" failed:\n${
        text.decode(stderr)
      }`,
    );
  }
  return text.decode(stdout);
}

/** The arguments of `deno` that run one of the project's programs. */
export function programArgs(
  path: string,
  flags: readonly string[] = ["-A"],
): string[] {
  return ["run", "--quiet", ...bindingFlags(), ...flags, projectPath(path)];
}

/** How `deno run` runs what executables hold: V8 does there what it does here. */
export const AS_COMPILED: readonly string[] = ["-A", V8_FLAGS];

/** Runs a program of the benchmark, which reads JSON and prints JSON. */
export async function runProgram<T>(
  path: string,
  input: unknown,
  flags?: readonly string[],
): Promise<T> {
  const args = programArgs(`scripts/bench/${path}`, flags);
  return JSON.parse(await run(Deno.execPath(), args, JSON.stringify(input)));
}

/** Builds one of the benchmark's C programs into a folder and returns its path. */
export async function compileC(dir: string, name: string): Promise<string> {
  const program = `${dir}/${basename(name, ".c")}`;
  const source = projectPath(`scripts/bench/${name}`);
  await run("cc", ["-O2", "-o", program, source, "-ldl", "-lpthread"]);
  return program;
}

/** The receiver, in a process of its own. */
export class Receiver implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, port: number) {
    this.#child = child;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** @param inC `receiver.c`, compiled. @default {receiver.ts, which costs more} */
  static async start(inC?: string): Promise<Receiver> {
    const child = new Deno.Command(inC ?? Deno.execPath(), {
      args: inC ? [] : programArgs("scripts/bench/receiver.ts"),
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    // It prints one line and no more; leaving the loop closes its output.
    let line = "";
    const output = child.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of output) {
      line += text;
      if (line.includes("\n")) break;
    }
    if (!Number(line)) throw new Error("Cannot start the receiver: it ended");
    return new Receiver(child, Number(line));
  }

  /** Returns what came since the last call, and sets how long answers wait from now on. */
  async take(options: { latencyMs?: number } = {}): Promise<Received> {
    const { latencyMs = 0 } = options;
    const response = await fetch(`${this.url}/control?latencyMs=${latencyMs}`);
    return await response.json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}

/** Reads what {@linkcode runProgram} was given; for the program that it runs. */
export async function readInput<T>(): Promise<T> {
  return await new Response(Deno.stdin.readable).json();
}
