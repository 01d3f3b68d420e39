import { assertEquals } from "@std/assert";
import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { PERMISSIONS } from "../../scripts/build/permissions.ts";
import { eventually } from "./eventually.ts";

/** How a child process ended. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Options for {@linkcode runCli} and {@linkcode startCli}. */
export interface CliOptions {
  /** Variables on top of a clean environment. */
  env?: Record<string, string>;
  cwd?: string;
  /** A program, with its arguments, that starts it. */
  through?: readonly string[];
  /** Its main module. @default {the project's} */
  main?: string;
}

/** Runs the real program from source and waits for its end. */
export async function runCli(
  args: string[],
  options: CliOptions = {},
): Promise<Ended> {
  return await endOf(cliCommand(args, options));
}

/** Runs a command and waits for its end. */
export async function endOf(command: Deno.Command): Promise<Ended> {
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Starts the real program from source; it is killed at the end of the scope. */
export function startCli(
  args: string[],
  options: CliOptions = {},
): RunningCli {
  return new RunningCli(cliCommand(args, options).spawn());
}

/** A program that runs beside the test. */
export class RunningCli implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  /** What it has written so far. */
  stdout = "";
  stderr = "";

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#reading = Promise.all([
      collect(child.stdout, (text) => this.stdout += text),
      collect(child.stderr, (text) => this.stderr += text),
    ]);
  }

  get pid(): number {
    return this.#child.pid;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits until it has written something on standard error. */
  async said(text: string | RegExp): Promise<void> {
    const said = () =>
      typeof text === "string"
        ? this.stderr.includes(text)
        : text.test(this.stderr);
    await eventually(`the program says ${text}`, said).catch((error) => {
      throw new Error(`${error.message}\nIt said:\n${this.stderr}`);
    });
  }

  /** Waits for its end. */
  async ended(): Promise<Ended> {
    const { code } = await this.#child.status;
    await this.#reading;
    return { code, stdout: this.stdout, stderr: this.stderr };
  }

  /** Tells it to end, and waits until it has, as it should. */
  async stop(): Promise<Ended> {
    this.kill("SIGTERM");
    const ended = await this.ended();
    assertEquals(ended.code, 0, ended.stderr);
    return ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.ended();
  }
}

/** The command that runs the real program from source. */
export function cliCommand(
  args: string[],
  options: CliOptions = {},
): Deno.Command {
  const flags = [...bindingFlags(), ...PERMISSIONS];
  const { main = projectPath("main.ts") } = options;
  const [program, ...rest] = [
    ...options.through ?? [],
    Deno.execPath(),
    ...["run", "--quiet", ...flags, main, ...args],
  ];
  return new Deno.Command(program!, {
    args: rest,
    clearEnv: true,
    env: { ...inherited(), ...options.env },
    ...(options.cwd && { cwd: options.cwd }),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** The variables that Deno needs to start a program, and that choose its SQLite. */
export function inherited(): Record<string, string> {
  const names = [
    "PATH",
    "HOME",
    "JSR_URL",
    "DENO_SQLITE_PATH",
    "SYSTEMROOT",
    "LOCALAPPDATA",
    "TMPDIR",
    "TEMP",
  ];
  const values = names.map((name) => [name, Deno.env.get(name)])
    .filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(values), DENO_DIR: denoDir() };
}

let knownDenoDir: string | undefined;

/** Where Deno keeps modules: it goes by HOME, which a test may change. */
function denoDir(): string {
  return knownDenoDir ??= JSON.parse(
    new TextDecoder().decode(
      new Deno.Command(Deno.execPath(), {
        args: ["info", "--json", "--no-config"],
      }).outputSync().stdout,
    ),
  ).denoDir;
}

async function collect(
  stream: ReadableStream<Uint8Array>,
  onText: (text: string) => void,
): Promise<void> {
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    onText(text);
  }
}
