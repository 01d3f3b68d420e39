import type { QueuedCapture, UploadQueue } from "../queue/queue.ts";

/** While claimed captures are begun within this time, twice as many are claimed: in milliseconds. */
const AHEAD_MS = 100;
/** The most that are claimed together, unless still more are sent at a time. */
const MAX_CLAIM = 128;

type Claims = Pick<UploadQueue, "claim" | "complete">;

/**
 * The captures that are claimed and not begun. A claim costs a commit for however
 * many: the faster they are begun, the more are claimed together.
 */
export class Prefetch {
  readonly #queue: Claims;
  readonly #now: () => number;
  #claimed: QueuedCapture[] = [];
  /** How many were claimed together the last time, and when. */
  #count = 0;
  #claimedMs = -Infinity;

  /** @param now A clock that never jumps, in milliseconds. */
  constructor(
    queue: Claims,
    now: () => number = () => performance.now(),
  ) {
    this.#queue = queue;
    this.#now = now;
  }

  /**
   * Returns the next capture to send, or `undefined` if none is due.
   *
   * @param concurrency How many are sent at a time; where each takes a while, twice
   * as many are claimed, for a claimed one counts as uploading.
   * @param admits Whether one may be sent now; some others are claimed and wait.
   * @throws {DatabaseError} if the queue cannot be used.
   */
  next(
    concurrency: number,
    admits: (capture: QueuedCapture) => boolean = () => true,
  ): QueuedCapture | undefined {
    if (!this.#claimed.some(admits) && this.#claimed.length < MAX_CLAIM) {
      const now = this.#now();
      const isFast = now - this.#claimedMs < AHEAD_MS;
      const more = isFast ? Math.min(2 * this.#count, MAX_CLAIM) : 0;
      const claimed = this.#queue.claim(Math.max(more, 2 * concurrency));
      this.#claimed.push(...claimed);
      this.#count = claimed.length;
      this.#claimedMs = now;
    }
    return this.#take(this.#claimed.findIndex(admits));
  }

  /**
   * Returns the capture whose turn would come last, or `undefined` if none is due.
   *
   * @param admits Whether one may be sent now.
   * @throws {DatabaseError} if the queue cannot be used.
   */
  last(admits: (capture: QueuedCapture) => boolean): QueuedCapture | undefined {
    if (this.#claimed.length < MAX_CLAIM) {
      this.#claimed.push(...this.#queue.claim(1, { fromEnd: true }));
    }
    return this.#take(this.#claimed.findLastIndex(admits));
  }

  /**
   * Makes the captures that are claimed and not begun pending again.
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

  #take(at: number): QueuedCapture | undefined {
    return at < 0 ? undefined : this.#claimed.splice(at, 1)[0];
  }
}
