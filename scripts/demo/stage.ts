/** What the demo plays with: a folder of its own, a server, an agent, and a clock. */

import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { join } from "@std/path";
import { DemoProcess, runAgent } from "./process.ts";

/** What the demo reads of `status --json`. */
export interface AgentStatus {
  pending: number;
  uploading: number;
  failed: number;
  delivered: number;
  server: { state: string };
}

const START_LIMIT_MS = 30_000;
/** When nothing arrives for so long, nothing more will. */
const STALL_LIMIT_MS = 60_000;
const STATUS_LIMIT_MS = 60_000;
const STATUS_PAUSE_MS = 100;

/**
 * Everything that has to be cleaned up, and is when this is disposed of: the
 * processes are ended and the folder is removed.
 */
export class DemoStage implements AsyncDisposable {
  /** The demo's folder. */
  readonly path: string = Deno.makeTempDirSync({ prefix: "jarvis-demo-" });
  /** The folder that the agent watches. */
  readonly watched: string = join(this.path, "watched");
  /** The folder that the server keeps captures in. */
  readonly received: string = join(this.path, "received");
  /** The folder for files that are not captures yet. */
  readonly drawn: string = join(this.path, "drawn");
  /** Aborts when the demo is to end, or one of its processes ended by itself. */
  readonly signal: AbortSignal;
  /** How many captures the server has said it stored. */
  stored = 0;
  /** How many uploads the server has said it knew already. */
  known = 0;
  readonly #dataDir = join(this.path, "agent");
  readonly #startedMs = performance.now();
  readonly #failing = new AbortController();
  #server: DemoProcess | undefined;
  #agent: DemoProcess | undefined;
  #url = "http://127.0.0.1:0";
  #onStored = Promise.withResolvers<void>();

  /** @param signal ends every wait when it aborts. */
  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, this.#failing.signal]);
    for (const dir of [this.watched, this.drawn]) Deno.mkdirSync(dir);
  }

  /** Prints a line of the story. */
  say(text: string): void {
    const seconds = (performance.now() - this.#startedMs) / 1000;
    console.log(`${seconds.toFixed(1).padStart(5)} s  ${text}`);
  }

  /** Starts the server, from the second time on at the same address. */
  async startServer(args: string[] = []): Promise<string> {
    const { port } = new URL(this.#url);
    const options = ["--port", port || "0", "--dir", this.received, ...args];
    this.#server = this.#start(
      ["scripts/server/main.ts", ...options],
      "server",
      (line) => this.#countUpload(line),
    );
    const [, url] = await this.#wait(
      this.#server.said(/Listening on (\S+),/),
      START_LIMIT_MS,
      "the server did not start",
    );
    this.#url = url!;
    return `${url} (process ${this.#server.pid})`;
  }

  /** Starts the agent, and waits until it watches its folder. */
  async startAgent(): Promise<string> {
    const options = ["--server", this.#url, "--data-dir", this.#dataDir];
    this.#agent = this.#start(
      ["main.ts", "run", ...options, "--watch", this.watched, "--settle", "1"],
      "agent",
      // Without its time: the story has a clock of its own.
      (line) => console.log("  agent |", line.replace(/^\d{4}-\S+Z\s+/, "")),
    );
    await this.#wait(
      this.#agent.said(/Watching/),
      START_LIMIT_MS,
      "the agent did not say that it watches the folder",
    );
    return `process ${this.#agent.pid}`;
  }

  /** Kills the server as a crash would. */
  async killServer(): Promise<void> {
    await this.#server?.kill("SIGKILL");
  }

  /** Kills the agent as a crash would. */
  async killAgent(): Promise<void> {
    await this.#agent?.kill("SIGKILL");
  }

  /** Asks both to end, and waits until they have. */
  async end(): Promise<void> {
    await this.#agent?.kill("SIGTERM");
    await this.#server?.kill("SIGTERM");
  }

  /** Hands files over with the CLI, and returns how many ids it printed. */
  async enqueue(paths: string[], metadata: string[]): Promise<number> {
    const given = metadata.flatMap((one) => ["--metadata", one]);
    const ids = await this.#run("enqueue", [...given, ...paths]);
    return ids.trim().split("\n").length;
  }

  /**
   * Asks for the agent's status until it is as expected.
   *
   * @throws {Error} if that takes more than a minute.
   */
  async statusWhere(
    expected: (status: AgentStatus) => boolean,
  ): Promise<AgentStatus> {
    const untilMs = performance.now() + STATUS_LIMIT_MS;
    for (;;) {
      const text = await this.#run("status", ["--json"]);
      const status: AgentStatus = JSON.parse(text);
      if (expected(status)) return status;
      if (performance.now() > untilMs) {
        throw new Error(
          `Cannot go on: after a minute the agent still says ${text}`,
        );
      }
      await delay(STATUS_PAUSE_MS, { signal: this.signal });
    }
  }

  /** Waits until the server has stored so many; false if they do not come. */
  async storedAll(count: number): Promise<boolean> {
    while (this.stored < count) {
      try {
        await this.#wait(this.#onStored.promise, STALL_LIMIT_MS, "too late");
      } catch {
        this.signal.throwIfAborted();
        return false;
      }
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.[Symbol.asyncDispose]();
    await this.#server?.[Symbol.asyncDispose]();
    await Deno.remove(this.path, { recursive: true });
  }

  #start(
    command: string[],
    name: string,
    onLine: (line: string) => void,
  ): DemoProcess {
    this.signal.throwIfAborted();
    const onFailure = (error: Error) => this.#failing.abort(error);
    return new DemoProcess(command, { name, onLine, onFailure });
  }

  async #run(command: string, args: string[]): Promise<string> {
    this.signal.throwIfAborted();
    return await runAgent([command, "--data-dir", this.#dataDir, ...args]);
  }

  /** @throws {Error} that says what is wrong if it takes too long; what ended the demo, if that did. */
  async #wait<T>(promise: Promise<T>, ms: number, wrong: string): Promise<T> {
    try {
      return await deadline(promise, ms, { signal: this.signal });
    } catch (cause) {
      this.signal.throwIfAborted();
      throw new Error(`Cannot go on: after ${ms / 1000} s ${wrong}`, { cause });
    }
  }

  #countUpload(line: string): void {
    if (/ 201 known /.test(line)) this.known++;
    if (!/ 201 stored /.test(line)) return;
    this.stored++;
    this.#onStored.resolve();
    this.#onStored = Promise.withResolvers();
  }
}
