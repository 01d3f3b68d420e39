import { counted } from "../host/counted.ts";
import { reached } from "../host/fault_point.ts";
import type { Log } from "../host/log.ts";
import { messageOf } from "../host/message_of.ts";
import { sleep } from "../host/sleep.ts";
import type { Completion, UploadQueue } from "../queue/queue.ts";
import { canPass, type Patience } from "./patience.ts";

/** How many outcomes are committed together, at most. */
const MAX_BATCH = 128;
/** How long the first of a batch waits for others, in milliseconds: each commit syncs the disk. */
const WAIT_MS = 100;
/** How long to wait after a commit failed, in milliseconds. */
const RETRY_MS = 1000;

/** The outcome of a capture, and a callback for when it is durable. */
export interface PendingCompletion {
  completion: Completion;
  after?: (() => void | Promise<void>) | undefined;
}

/**
 * Records outcomes in the queue, many in one commit. A capture whose outcome is not
 * recorded when the process dies is sent again with the same key: it costs an upload
 * and no more.
 */
export class BatchCompleter {
  readonly #queue: UploadQueue;
  readonly #patience: Patience;
  readonly #log: Log;
  readonly #waiting: PendingCompletion[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The error of the last commit. */
  #failure: unknown;
  /** The callbacks of the commits so far. */
  #following: Promise<void> = Promise.resolve();

  constructor(
    queue: UploadQueue,
    { patience, log }: { patience: Patience; log: Log },
  ) {
    this.#queue = queue;
    this.#patience = patience;
    this.#log = log;
  }

  /** Takes an outcome; it is recorded soon, or when the queue can be used again. */
  add(outcome: PendingCompletion): void {
    this.#waiting.push(outcome);
    if (this.#waiting.length >= MAX_BATCH && !this.#failure) this.#commit();
    else this.#timer ??= setTimeout(() => this.#commit(), WAIT_MS);
  }

  /**
   * Returns when all outcomes are recorded, and their callbacks are done.
   *
   * @param signal Ends the waiting for a queue that cannot be used for a while.
   * @param onRetry Is called each time that it is tried again.
   * @throws {Error} if some are not: then they are forgotten here, to be sent again
   * with the same keys.
   */
  async end(
    signal: AbortSignal,
    onRetry: () => void = () => {},
  ): Promise<void> {
    while (!this.#commit()) {
      if (!canPass(this.#failure) || signal.aborted) throw this.#forget();
      onRetry();
      await sleep(RETRY_MS, signal);
    }
    await this.#following;
  }

  /** Records the waiting outcomes; returns whether that succeeded. */
  #commit(): boolean {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return true;
    try {
      this.#queue.complete(this.#waiting.map(({ completion }) => completion));
    } catch (error) {
      this.#failure = error;
      this.#patience.met(error);
      this.#timer = setTimeout(() => this.#commit(), RETRY_MS);
      return false;
    }
    this.#failure = undefined;
    reached("completed");
    const recorded = this.#waiting.splice(0);
    this.#following = this.#following.then(() => this.#follow(recorded));
    return true;
  }

  /** The outcomes are recorded: a failure now leaves a file behind, and no more than that. */
  async #follow(recorded: PendingCompletion[]): Promise<void> {
    for (const { after } of recorded) {
      try {
        await after?.();
      } catch (error) {
        this.#log(
          "warn",
          `Cannot tidy up after a delivery: ${messageOf(error)}`,
        );
      }
    }
  }

  #forget(): Error {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lost = counted(this.#waiting.splice(0).length, "capture");
    const cause = this.#failure;
    return new Error(
      `Cannot record what became of ${lost}, to be sent again with the same keys: ${
        messageOf(cause)
      }`,
      { cause },
    );
  }
}
