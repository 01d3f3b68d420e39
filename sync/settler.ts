import type { Log } from "./log.ts";
import type { Settlement } from "./queue.ts";

/** How many settlements are committed together, at most. */
const BATCH = 128;
/**
 * How long the first of a batch waits for others, in milliseconds. Each commit
 * holds everything up while the disk writes, and fewer are fewer such stops.
 */
const WAIT_MS = 100;
/** How long to wait after a commit failed, in milliseconds. */
const RETRY_MS = 1000;

/** What is to be done when a settlement is durable. */
export type After = () => void | Promise<void>;

/**
 * Records outcomes in the queue, some at a time: one commit costs as much as
 * many. What is not recorded when the process dies is sent again with the same
 * key, so it costs an upload and nothing else.
 */
export class Settler {
  readonly #queue: { settle(settlements: Settlement[]): number };
  readonly #log: Log;
  #waiting: { settlement: Settlement; after: After | undefined }[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failing = false;
  /** Settled when everything is tidy behind what is recorded. */
  #tidied: Promise<unknown> = Promise.resolve();

  constructor(
    queue: { settle(settlements: Settlement[]): number },
    log: Log,
  ) {
    this.#queue = queue;
    this.#log = log;
  }

  /** @param after Is called when the settlement is durable. */
  add(settlement: Settlement, after?: After): void {
    this.#waiting.push({ settlement, after });
    if (this.#waiting.length >= BATCH && !this.#failing) return this.flush();
    this.#timer ??= setTimeout(() => this.flush(), WAIT_MS);
  }

  /** Commits what is waiting. If that fails, it is tried again until it succeeds. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#waiting;
    if (batch.length === 0) return;
    try {
      this.#queue.settle(batch.map(({ settlement }) => settlement));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!this.#failing) {
        this.#log("error", `Cannot record outcomes, will try again: ${reason}`);
      }
      this.#failing = true;
      this.#timer = setTimeout(() => this.flush(), RETRY_MS);
      return;
    }
    this.#failing = false;
    this.#waiting = [];
    const tidied = batch.map(({ after }) => after && this.#finish(after));
    this.#tidied = Promise.all([this.#tidied, ...tidied]);
  }

  /** Commits what is waiting, and waits until all is tidy behind it. */
  async end(): Promise<void> {
    this.flush();
    await this.#tidied;
  }

  /** The outcome is recorded: what fails now is untidy, and no more than that. */
  async #finish(after: After): Promise<void> {
    try {
      await after();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log("warn", `Cannot tidy up behind a delivery: ${reason}`);
    }
  }
}
