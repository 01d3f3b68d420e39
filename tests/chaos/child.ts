import { delay } from "@std/async/delay";

/** How much of the end of a process's standard error is kept, in characters. */
const TAIL_CHARS = 2000;

/** A child process, its output line by line; it is killed at the end of the scope. */
export class Child implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  #stdin: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #running = true;
  /** Whether this process was told to end by {@linkcode Child.kill}. */
  wasKilled = false;
  /** The end of what it wrote to standard error. */
  stderr = "";

  constructor(
    command: Deno.Command,
    onLine: (line: string, child: Child) => void = () => {},
  ) {
    this.#child = command.spawn();
    this.#reading = Promise.all([
      eachLine(this.#child.stdout, (line) => onLine(line, this)),
      eachLine(this.#child.stderr, (line) => {
        this.stderr = (this.stderr + line + "\n").slice(-TAIL_CHARS);
      }),
    ]);
    this.#child.status.then(() => this.#running = false);
  }

  get pid(): number {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#running;
  }

  /** Sends a signal; returns `false` if the process has ended. */
  signal(signal: Deno.Signal): boolean {
    if (!this.#running) return false;
    try {
      this.#child.kill(signal);
      return true;
    } catch {
      // It has ended a moment ago.
      return false;
    }
  }

  /** Stops it for a while. */
  async stop(forMs: number): Promise<void> {
    if (!this.signal("SIGSTOP")) return;
    await delay(forMs);
    this.signal("SIGCONT");
  }

  /** Sends a signal that ends the process. */
  kill(signal: Deno.Signal): boolean {
    const sent = this.signal(signal);
    this.wasKilled ||= sent;
    return sent;
  }

  /** Writes to its standard input; does nothing once it has ended. */
  async write(text: string): Promise<void> {
    try {
      this.#stdin ??= this.#child.stdin.getWriter();
      await this.#stdin.write(new TextEncoder().encode(text));
    } catch {
      // It has ended.
    }
  }

  /** Waits for its end, and for the last of its output. */
  async ended(): Promise<number> {
    const { code } = await this.#child.status;
    await this.#reading;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.ended();
  }
}

async function eachLine(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  let text = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (text + part).split("\n");
    // What follows the last line break was cut off by a kill, if anything.
    text = lines.pop()!;
    lines.forEach(onLine);
  }
}
