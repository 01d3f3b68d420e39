import type { QueuedCapture, UploadQueue } from "../queue/queue.ts";

/**
 * The most captures that are claimed in one transaction; fewer, where so many
 * would last longer than this, in milliseconds: what is claimed counts as uploading.
 */
const MAX_CLAIM = 128;
const CLAIM_LASTS_MS = 250;

/** The captures that are claimed and not begun: a transaction costs the same for many. */
export class Prefetch {
  readonly #queue: Pick<UploadQueue, "claim" | "complete">;
  #claimed: QueuedCapture[] = [];
  #claimedAt = 0;
  #limit = 1;

  constructor(queue: Pick<UploadQueue, "claim" | "complete">) {
    this.#queue = queue;
  }

  /**
   * Returns the next capture to send, or `undefined` if none is due.
   *
   * @param concurrency How many are sent at a time.
   * @throws {DatabaseError} if the queue cannot be used.
   */
  next(concurrency: number): QueuedCapture | undefined {
    if (this.#claimed.length === 0) {
      this.#claimed = this.#queue.claim(this.#nextLimit(concurrency));
    }
    return this.#claimed.shift();
  }

  /**
   * Makes what is claimed and not begun pending again.
   *
   * @throws {DatabaseError} if the queue cannot be used; then they stay claimed.
   */
  release(): void {
    if (this.#claimed.length === 0) return;
    this.#queue.complete(
      this.#claimed.map(({ id }) => ({ id, kind: "release" })),
    );
    this.#claimed = [];
  }

  #nextLimit(concurrency: number): number {
    const lastedMs = performance.now() - this.#claimedAt;
    this.#claimedAt += lastedMs;
    const limit = this.#limit * (lastedMs < CLAIM_LASTS_MS ? 2 : 0.5);
    this.#limit = Math.min(Math.max(limit, concurrency), MAX_CLAIM);
    return this.#limit;
  }
}
