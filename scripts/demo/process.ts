/** The demo's own child processes: started, listened to, and killed. */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { bindingFlags, projectPath } from "../task/bindings.ts";
import { PERMISSIONS } from "../build/permissions.ts";

/** Options for {@linkcode DemoProcess}. */
export interface DemoProcessOptions {
  /** Its name in the story. */
  name: string;
  /** Called with each line of its output. */
  onLine: (line: string) => void;
  /** Called if it ends although nobody told it to, with its last words. */
  onFailure: (error: Error) => void;
}

const KEPT_LINES = 40;

/** A process of the demo. Disposing of it ends it, in any state. */
export class DemoProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #options: DemoProcessOptions;
  readonly #lastLines: string[] = [];
  readonly #ended: Promise<void>;
  #isExpectedToEnd = false;

  /** Starts it: a script of the project, and its arguments. */
  constructor(command: string[], options: DemoProcessOptions) {
    this.#options = options;
    this.#child = commandOf(command).spawn();
    this.#ended = this.#listen();
  }

  get pid(): number {
    return this.#child.pid;
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

  async #listen(): Promise<void> {
    const { stdout, stderr, status } = this.#child;
    await Promise.all([stdout, stderr].map((output) => this.#read(output)));
    const { code } = await status;
    if (this.#isExpectedToEnd) return;
    const { name, onFailure } = this.#options;
    onFailure(failure(name, code, this.#lastLines.join("\n")));
  }

  async #read(output: globalThis.ReadableStream<Uint8Array>): Promise<void> {
    const input = Readable.fromWeb(output as ReadableStream);
    for await (const line of createInterface({ input })) {
      this.#lastLines.push(line);
      if (this.#lastLines.length > KEPT_LINES) this.#lastLines.shift();
      this.#options.onLine(line);
    }
  }
}

/**
 * Runs the agent's CLI to its end and returns its standard output.
 *
 * @throws {Error} with its words, if it exits with anything but 0.
 */
export async function runAgent(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await commandOf(["main.ts", ...args])
    .output();
  const text = new TextDecoder();
  if (code === 0) return text.decode(stdout);
  throw failure(`command "${args[0]}"`, code, text.decode(stderr).trim());
}

function commandOf([script = "", ...args]: string[]): Deno.Command {
  const flags = [...bindingFlags(), ...PERMISSIONS];
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...flags, projectPath(script), ...args],
    // The settings of the user's real agent must not reach this one.
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
