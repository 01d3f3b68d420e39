/** The demo's surroundings: a temporary folder, a server, an agent, and a clock. */

import { delay } from "@std/async/delay";
import { join } from "@std/path";
import { DemoProcess, runAgent } from "./process.ts";

/** The part of `status --json` that the demo reads. */
export interface AgentStatus {
  pending: number;
  uploading: number;
  failed: number;
  delivered: number;
  server: { state: string };
}

/** The longest wait for anything. */
const LIMIT_MS = 120_000;
const PAUSE_MS = 50;

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
  server: DemoProcess | undefined;
  agent: DemoProcess | undefined;
  readonly #dataDir = join(this.path, "agent");
  readonly #startedMs = performance.now();
  readonly #failing = new AbortController();
  #url = "";

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
    const port = this.#url ? new URL(this.#url).port : "0";
    let url: string | undefined;
    this.server = this.#start(
      "server",
      [
        ...["scripts/server/main.ts", "--port", port],
        ...["--dir", this.received, ...args],
      ],
      (line) => {
        url ??= /^Listening on (\S+),/.exec(line)?.[1];
        if (/ 201 stored /.test(line)) this.stored++;
        if (/ 201 known /.test(line)) this.known++;
      },
    );
    this.#url = await this.#until("the server does not listen", () => url);
    return `${this.#url} (process ${this.server.pid})`;
  }

  /** Starts the agent, and waits until it watches its folder. */
  async startAgent(): Promise<string> {
    const options = ["--server", this.#url, "--data-dir", this.#dataDir];
    let isWatching = false;
    this.agent = this.#start(
      "agent",
      ["main.ts", "run", ...options, "--watch", this.watched, "--settle", "1"],
      (line) => {
        isWatching ||= line.includes("Watching");
        // Without its time: the story has a clock of its own.
        console.log("  agent |", line.replace(/^\d{4}-\S+Z\s+/, ""));
      },
    );
    await this.#until(
      "the agent does not watch",
      () => isWatching || undefined,
    );
    return `process ${this.agent.pid}`;
  }

  /** Asks both to end, and waits until they have. */
  async end(): Promise<void> {
    await this.agent?.kill("SIGTERM");
    await this.server?.kill("SIGTERM");
  }

  /** Hands files over with the CLI. */
  async enqueue(paths: string[], metadata: string[]): Promise<void> {
    const given = metadata.flatMap((one) => ["--metadata", one]);
    await this.#run("enqueue", [...given, ...paths]);
  }

  /** Asks for the agent's status until it is as expected. */
  statusWhere(
    expected: (status: AgentStatus) => boolean,
  ): Promise<AgentStatus> {
    return this.#until("the agent's status is not as expected", async () => {
      const text = await this.#run("status", ["--json"]);
      const status: AgentStatus = JSON.parse(text);
      return expected(status) ? status : undefined;
    });
  }

  /** Waits until the server has stored so many; false if for two minutes none comes. */
  async storedAll(count: number): Promise<boolean> {
    let [seen, sinceMs] = [this.stored, performance.now()];
    while (this.stored < count) {
      await delay(PAUSE_MS, { signal: this.signal });
      if (this.stored > seen) {
        [seen, sinceMs] = [this.stored, performance.now()];
      } else if (performance.now() - sinceMs > LIMIT_MS) return false;
    }
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent?.[Symbol.asyncDispose]();
    await this.server?.[Symbol.asyncDispose]();
    await Deno.remove(this.path, { recursive: true });
  }

  #start(
    name: string,
    command: string[],
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

  /**
   * Looks again and again until there is something.
   *
   * @throws {Error} that says `wrong`, if that takes too long.
   */
  async #until<T>(
    wrong: string,
    look: () => T | undefined | Promise<T | undefined>,
  ): Promise<T> {
    const untilMs = performance.now() + LIMIT_MS;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > untilMs) {
        throw new Error(`Cannot go on: after two minutes ${wrong}`);
      }
      await delay(PAUSE_MS, { signal: this.signal });
    }
  }
}
