import { delay } from "@std/async/delay";

/** What was not used within this time is lost, in milliseconds. */
const BURST_MS = 250;
/** The smallest and the largest piece that is let go at a time, in bytes. */
const MIN_PIECE_BYTES = 4 * 1024;
const MAX_PIECE_BYTES = 256 * 1024;

/** Lets so many bytes leave a second, of all uploads together, each in its turn. */
export class Bandwidth {
  /** What leaves at a time, in bytes: the slower the line, the less, so that it never rests long. */
  readonly pieceBytes: number;
  readonly #bytesPerMs: number;
  readonly #now: () => number;
  /** When all that was let go has left. */
  #freeAtMs = -Infinity;

  /**
   * @param options `now` is a clock that never jumps, in milliseconds.
   */
  constructor(
    bytesPerSecond: number,
    { now = () => performance.now() }: { now?: () => number } = {},
  ) {
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#now = now;
    const eighth = Math.floor(bytesPerSecond / 8);
    this.pieceBytes = Math.min(
      Math.max(eighth, MIN_PIECE_BYTES),
      MAX_PIECE_BYTES,
    );
  }

  /** Sets bytes aside for one upload; returns in how many milliseconds they may leave. */
  reserve(bytes: number): number {
    const nowMs = this.#now();
    const startMs = Math.max(this.#freeAtMs, nowMs - BURST_MS);
    this.#freeAtMs = startMs + bytes / this.#bytesPerMs;
    return Math.max(startMs - nowMs, 0);
  }

  /**
   * Waits until these bytes may leave.
   *
   * @param options `onWait` is called every `waitMs` milliseconds meanwhile.
   * @throws the signal's reason, if it aborts.
   */
  async take(
    bytes: number,
    { signal, onWait, waitMs }: {
      signal: AbortSignal;
      onWait: () => void;
      waitMs: number;
    },
  ): Promise<void> {
    for (let left = this.reserve(bytes); left > 0; left -= waitMs) {
      await delay(Math.min(left, waitMs), { signal });
      onWait();
    }
  }
}
