import type { Log } from "../host/log.ts";
import { messageOf } from "../host/message_of.ts";
import { UnreachableError } from "../host/reach.ts";
import { sleep } from "../host/sleep.ts";
import { hasFault } from "../queue/sqlite.ts";

/** After this long without trouble it is logged anew, in milliseconds. */
const NEW_AFTER_MS = 60_000;

/** After trouble nothing needs to be tried again for so long, in milliseconds. */
const AGAIN_MS = 1_000;

/** Whether a queue that cannot be used now may be usable later without anybody mending it. */
export function canPass(error: unknown): boolean {
  return hasFault(error, "busy") || hasFault(error, "full") ||
    hasFault(error, "read-only") ||
    error instanceof UnreachableError;
}

/**
 * Waits for a queue that is locked, full, read-only or unreachable. Logs each cause
 * once.
 */
export class Patience {
  readonly #log: Log;
  #metAtMs = -Infinity;
  #againAtMs = -Infinity;
  /** Whether the queue or its spool could not be reached when they were looked for last. */
  #isAway = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Does something with the queue and returns the result, or `undefined` if that
   * is to be tried again later.
   *
   * @throws the error of `body`, if it cannot pass.
   */
  try<T>(body: () => T): T | undefined {
    try {
      return body();
    } catch (error) {
      if (!canPass(error)) throw error;
      this.met(error);
      return undefined;
    }
  }

  /** Tries each second until it works; `undefined` if the signal aborts before. */
  async insist<T>(body: () => T, signal: AbortSignal): Promise<T | undefined> {
    let done = this.try(body);
    while (done === undefined && !signal.aborted) {
      await sleep(AGAIN_MS, signal);
      done = this.try(body);
    }
    return done;
  }

  /** How long to wait after the last trouble, in milliseconds. */
  get waitMs(): number {
    return Math.max(this.#againAtMs - performance.now(), 0);
  }

  /** Logs the trouble, unless it was logged already. */
  met(trouble: unknown, awaited = "the queue"): void {
    this.#againAtMs = performance.now() + AGAIN_MS;
    if (trouble instanceof UnreachableError) return this.#away(trouble);
    const isNew = performance.now() - this.#metAtMs > NEW_AFTER_MS;
    this.#metAtMs = performance.now();
    const message = messageOf(trouble);
    if (isNew) this.#log("warn", `Waiting for ${awaited}: ${message}`);
  }

  /** Queue and spool were found where they belong. */
  reached(): void {
    if (this.#isAway) {
      this.#log("info", "The data directory can be reached again");
    }
    this.#isAway = false;
  }

  #away({ message }: Error): void {
    if (!this.#isAway) {
      this.#log("warn", `Waiting for the data directory: ${message}`);
    }
    this.#isAway = true;
  }
}
