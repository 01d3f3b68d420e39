import type { SpentEntry } from "./bookkeeping.ts";
import type { Log } from "../host/log.ts";
import type { Settlement } from "../queue/queue.ts";

/** How many settlements are committed together, at most. */
const BATCH = 128;
/**
 * How long the first of a batch waits for others, in milliseconds. Each commit
 * costs a sync of the disk, and fewer are fewer of them.
 */
const WAIT_MS = 100;
/** How long to wait after a commit failed, in milliseconds. */
const RETRY_MS = 1000;

/** Records outcomes; see `Bookkeeper`. */
export type Settle = (
  settlements: Settlement[],
  spent: SpentEntry[],
) => Promise<string | null>;

/** An outcome, and what follows when it is recorded. */
export interface Outcome {
  settlement: Settlement;
  /** The entry that is of no more use then. */
  spent?: SpentEntry;
  /** Is called when the outcome is durable and the entry gone. */
  after?: () => void | Promise<void>;
}

/**
 * Records outcomes in the queue, some at a time: one commit costs as much as
 * many. What is not recorded when the process dies is sent again with the same
 * key, so it costs an upload and nothing else.
 */
export class Settler {
  readonly #settle: Settle;
  readonly #log: Log;
  #waiting: Outcome[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failing = false;
  /** Settled when what was begun is recorded, or put back, and tidy. */
  #begun: Promise<unknown> = Promise.resolve();

  constructor(settle: Settle, log: Log) {
    this.#settle = settle;
    this.#log = log;
  }

  add(outcome: Outcome): void {
    this.#waiting.push(outcome);
    if (this.#waiting.length >= BATCH && !this.#failing) return this.flush();
    this.#timer ??= setTimeout(() => this.flush(), WAIT_MS);
  }

  /** Begins to commit what is waiting. If that fails, it is tried again until it succeeds. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#begun = Promise.all([this.#begun, this.#commit(batch)]);
  }

  /** Commits what is waiting, and waits until all is tidy behind it. */
  async end(): Promise<void> {
    this.flush();
    await this.#begun;
  }

  async #commit(batch: Outcome[]): Promise<void> {
    const spent = batch.map(({ spent }) => spent)
      .filter((entry) => entry !== undefined);
    try {
      const settlements = batch.map(({ settlement }) => settlement);
      this.#tidy(await this.#settle(settlements, spent));
      this.#failing = false;
    } catch (error) {
      return this.#putBack(batch, reasonOf(error));
    }
    for (const { after } of batch) {
      try {
        await after?.();
      } catch (error) {
        this.#tidy(reasonOf(error));
      }
    }
  }

  #putBack(batch: Outcome[], reason: string): void {
    if (!this.#failing) {
      this.#log("error", `Cannot record outcomes, will try again: ${reason}`);
    }
    this.#failing = true;
    this.#waiting.unshift(...batch);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), RETRY_MS);
  }

  /** The outcome is recorded: what fails now is untidy, and no more than that. */
  #tidy(trouble: string | null): void {
    if (trouble === null) return;
    this.#log("warn", `Cannot tidy up behind a delivery: ${trouble}`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
