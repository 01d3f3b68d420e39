import type { QueuedCapture, UploadQueue } from "../queue/queue.ts";

/** The captures that are claimed and not begun: a transaction costs the same for some. */
export class Prefetch {
  readonly #queue: Pick<UploadQueue, "claim" | "complete">;
  #claimed: QueuedCapture[] = [];

  constructor(queue: Pick<UploadQueue, "claim" | "complete">) {
    this.#queue = queue;
  }

  /**
   * Returns the next capture to send, or `undefined` if none is due.
   *
   * @param concurrency How many are sent at a time; twice as many are claimed, for
   * what is claimed counts as uploading.
   * @throws {DatabaseError} if the queue cannot be used.
   */
  next(concurrency: number): QueuedCapture | undefined {
    if (this.#claimed.length === 0) {
      this.#claimed = this.#queue.claim(2 * concurrency);
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
}
