/** What the demo plays with: a folder of its own, a server, an agent, and a clock. */

import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { join } from "@std/path";
import { DemoProcess, runDemoProcess } from "./process.ts";
import type { ListedCapture } from "./verdict.ts";

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
  readonly #dataDir = join(this.path, "agent");
  readonly #startedMs = performance.now();
  readonly #failing = new AbortController();
  #server: DemoProcess | undefined;
  #agent: DemoProcess | undefined;
  #url = "http://127.0.0.1:0";
  #stored = 0;
  #known = 0;
  #onUpload = Promise.withResolvers<void>();

  /** @param signal ends every wait when it aborts. */
  constructor(signal: AbortSignal) {
    this.signal = AbortSignal.any([signal, this.#failing.signal]);
    for (const dir of [this.watched, this.drawn]) Deno.mkdirSync(dir);
  }

  /** How many captures the server has said it stored. */
  get stored(): number {
    return this.#stored;
  }

  /** How many uploads the server has said it knew already. */
  get known(): number {
    return this.#known;
  }

  /** Prints a line of the story. */
  say(text: string): void {
    const seconds = (performance.now() - this.#startedMs) / 1000;
    console.log(`${seconds.toFixed(1).padStart(5)} s  ${text}`);
  }

  /** Starts the server, from the second time on at the same address. */
  async startServer(args: string[] = []): Promise<string> {
    const { port } = new URL(this.#url);
    this.#server = this.#start("server", [
      "scripts/server/main.ts",
      ...["--port", port || "0", "--dir", this.received, ...args],
    ], (line) => this.#countUpload(line));
    const [, url] = await this.#hear(this.#server, /Listening on (\S+),/);
    this.#url = url!;
    return `${url} (process ${this.#server.pid})`;
  }

  /** Starts the agent, and waits until it watches its folder. */
  async startAgent(): Promise<string> {
    this.#agent = this.#start("agent", [
      "main.ts",
      ...["run", "--server", this.#url, "--data-dir", this.#dataDir],
      ...["--watch", this.watched, "--settle", "1"],
    ], (line) => console.log(`  agent | ${withoutTime(line)}`));
    await this.#hear(this.#agent, /Watching/);
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
    const ids = await this.#run([
      "enqueue",
      ...metadata.flatMap((one) => ["--metadata", one]),
      ...paths,
    ]);
    return ids.trim().split("\n").length;
  }

  /** Asks the CLI how things stand. */
  async status(): Promise<AgentStatus> {
    return JSON.parse(await this.#run(["status", "--json"]));
  }

  /**
   * Asks again and again until it is as expected.
   *
   * @throws {Error} if that takes more than a minute.
   */
  async statusWhere(
    expected: (status: AgentStatus) => boolean,
  ): Promise<AgentStatus> {
    const untilMs = performance.now() + STATUS_LIMIT_MS;
    for (;;) {
      const status = await this.status();
      if (expected(status)) return status;
      if (performance.now() > untilMs) {
        throw new Error(
          `Cannot go on: after a minute the agent still says ${
            JSON.stringify(status)
          }`,
        );
      }
      await delay(STATUS_PAUSE_MS, { signal: this.signal });
    }
  }

  /** Waits until the server has stored so many; false if they do not come. */
  async storedAll(count: number): Promise<boolean> {
    while (this.#stored < count) {
      try {
        await deadline(this.#onUpload.promise, STALL_LIMIT_MS, {
          signal: this.signal,
        });
      } catch (error) {
        this.signal.throwIfAborted();
        if (!(error instanceof DOMException)) throw error;
        return false;
      }
    }
    return true;
  }

  /** The server's listing. */
  async listing(): Promise<ListedCapture[]> {
    const response = await fetch(`${this.#url}/api/captures`, {
      signal: this.signal,
    });
    return await response.json();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.[Symbol.asyncDispose]();
    await this.#server?.[Symbol.asyncDispose]();
    await Deno.remove(this.path, { recursive: true });
  }

  #start(
    name: string,
    command: string[],
    onLine: (line: string) => void,
  ): DemoProcess {
    this.signal.throwIfAborted();
    return new DemoProcess({
      name,
      command,
      onLine,
      onFailure: (error) => this.#failing.abort(error),
    });
  }

  async #run([command = "", ...args]: string[]): Promise<string> {
    this.signal.throwIfAborted();
    return await runDemoProcess({
      name: `command "${command}"`,
      command: ["main.ts", command, "--data-dir", this.#dataDir, ...args],
    });
  }

  /** Waits for a line that a process says when it has started. */
  async #hear(from: DemoProcess, pattern: RegExp): Promise<RegExpExecArray> {
    try {
      return await deadline(from.said(pattern), START_LIMIT_MS, {
        signal: this.signal,
      });
    } catch (error) {
      this.signal.throwIfAborted();
      throw new Error(
        `Cannot go on: expected ${pattern} from the ${from.name} within ${
          START_LIMIT_MS / 1000
        } s`,
        { cause: error },
      );
    }
  }

  #countUpload(line: string): void {
    if (/ 201 stored /.test(line)) this.#stored++;
    else if (/ 201 known /.test(line)) this.#known++;
    else return;
    this.#onUpload.resolve();
    this.#onUpload = Promise.withResolvers();
  }
}

/** The agent's log begins with a time; the story has a clock of its own. */
function withoutTime(line: string): string {
  return line.replace(/^\d{4}-\S+Z\s+/, "");
}
