/** The demo's own child processes: started, listened to, killed, and cleaned up. */

import { bindingFlags, projectPath } from "../task/bindings.ts";
import { PERMISSIONS } from "../build/permissions.ts";

/** How a process is run, and who hears of it. */
export interface DemoProcessOptions {
  /** What it is called in the story. */
  name: string;
  /** The script, below the project's folder, and its arguments. */
  command: string[];
  /** Called with each line of its output. */
  onLine?: (line: string) => void;
  /** Called if it ends although nobody told it to, with its last words. */
  onFailure?: (error: Error) => void;
}

const KEPT_LINES = 1000;
const SHOWN_LINES = 40;

/** A process of the demo. Disposing of it ends it, whatever state it is in. */
export class DemoProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #options: DemoProcessOptions;
  readonly #lines: string[] = [];
  readonly #listeners: ((line: string) => void)[] = [];
  readonly #ended: Promise<Deno.CommandStatus>;
  #isExpectedToEnd = false;

  /** Starts it. */
  constructor(options: DemoProcessOptions) {
    this.#options = options;
    this.#child = command(options.command).spawn();
    this.#ended = this.#listen();
  }

  /** What it is called in the story. */
  get name(): string {
    return this.#options.name;
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Waits until it has said something like this, now or earlier. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve) => {
      const listener = (line: string) => {
        const found = pattern.exec(line);
        if (found) resolve(found);
      };
      this.#lines.forEach(listener);
      this.#listeners.push(listener);
    });
  }

  /** Sends a signal and waits for its end. */
  async kill(signal: Deno.Signal): Promise<void> {
    this.#isExpectedToEnd = true;
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
    await this.#ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill("SIGKILL");
  }

  async #listen(): Promise<Deno.CommandStatus> {
    await Promise.all([
      this.#read(this.#child.stdout),
      this.#read(this.#child.stderr),
    ]);
    const status = await this.#child.status;
    if (!this.#isExpectedToEnd) {
      this.#options.onFailure?.(
        failure(
          this.#options.name,
          status.code,
          this.#lines.slice(-SHOWN_LINES).join("\n"),
        ),
      );
    }
    return status;
  }

  async #read(output: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of output.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        this.#lines.push(line);
        if (this.#lines.length > KEPT_LINES) this.#lines.shift();
        this.#options.onLine?.(line);
        for (const listener of this.#listeners) listener(line);
      }
    }
  }
}

/**
 * Runs a process to its end and returns what it wrote on standard output.
 *
 * @throws {Error} with its words, if it exits with anything but 0.
 */
export async function runDemoProcess(
  options: Pick<DemoProcessOptions, "name" | "command">,
): Promise<string> {
  const { code, stdout, stderr } = await command(options.command).output();
  const decoder = new TextDecoder();
  if (code !== 0) {
    throw failure(options.name, code, decoder.decode(stderr).trim());
  }
  return decoder.decode(stdout);
}

function command([script = "", ...args]: string[]): Deno.Command {
  const flags = [...bindingFlags(), ...PERMISSIONS];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...flags, projectPath(script), ...args],
    // What the user has set for the real agent must not reach this one.
    clearEnv: true,
    env: Object.fromEntries(
      Object.entries(Deno.env.toObject())
        .filter(([name]) => !name.startsWith("JARVIS_")),
    ),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

function failure(name: string, code: number, words: string): Error {
  return new Error(
    `The ${name} ended with exit code ${code}, which it was not told to. It said:\n${words}`,
  );
}
