import { delay } from "@std/async/delay";
import type { Pace } from "./multipart.ts";

/** Bandwidth that is not used within this time is lost, in milliseconds. */
const BURST_MS = 250;
/** How long a wait may be before it is looked whether the rate is another by now, in milliseconds. */
const LOOK_MS = 1_000;
/** The smallest and the largest piece that is let go at a time, in bytes. */
const MIN_PIECE_BYTES = 4 * 1024;
const MAX_PIECE_BYTES = 256 * 1024;

/** Lets so many bytes leave a second, of all uploads together, each in its turn. */
export class Bandwidth {
  readonly #rate: () => number;
  readonly #now: () => number;
  /** How many bytes were ever asked for, and how many of them have left or may. */
  #asked = 0;
  #allowed = Infinity;
  #lookedMs = 0;

  /**
   * @param rate Returns how many bytes may leave a second, now.
   * @param options `now` is a clock that never jumps, in milliseconds.
   */
  constructor(
    rate: () => number,
    { now = () => performance.now() }: { now?: () => number } = {},
  ) {
    this.#rate = rate;
    this.#now = now;
  }

  /** The size of a piece, in bytes: the slower the line, the smaller, so that it never rests long. */
  get pieceBytes(): number {
    const eighth = Math.floor(this.#rate() / 8);
    return Math.min(Math.max(eighth, MIN_PIECE_BYTES), MAX_PIECE_BYTES);
  }

  /**
   * Takes a place after all that was asked for before.
   *
   * @returns how to find out in how many milliseconds these bytes may leave.
   */
  reserve(bytes: number): () => number {
    this.#look();
    const before = this.#asked;
    this.#asked += bytes;
    return () => {
      const bytesPerMs = this.#look();
      const missing = before - this.#allowed;
      return missing > 0 ? missing / bytesPerMs : 0;
    };
  }

  /**
   * Returns the pace of one request, which lets its bytes leave until it is disposed
   * of.
   *
   * @param options `onWait` is called at least every `waitMs` milliseconds while they
   * wait, `onSent` with how many may leave, and with minus as many in the end.
   */
  pace(
    { signal, onWait, waitMs, onSent }: {
      signal: AbortSignal;
      onWait: () => void;
      waitMs: number;
      onSent?: ((bytes: number) => void) | undefined;
    },
  ): Pace & Disposable {
    let sent = 0;
    return {
      pieceBytes: () => this.pieceBytes,
      take: async (bytes) => {
        const left = this.reserve(bytes);
        for (let ms = left(); ms > 0; ms = left()) {
          await delay(Math.min(ms, waitMs, LOOK_MS), { signal });
          onWait();
        }
        sent += bytes;
        onSent?.(bytes);
      },
      [Symbol.dispose]: () => onSent?.(-sent),
    };
  }

  /** Allows the bytes that have become due since the last time; returns the rate. */
  #look(): number {
    const nowMs = this.#now();
    const bytesPerMs = this.#rate() / 1000;
    const due = bytesPerMs === Infinity
      ? Infinity
      : (nowMs - this.#lookedMs) * bytesPerMs;
    const most = this.#asked + BURST_MS * bytesPerMs;
    this.#allowed = Math.min(this.#allowed + due, most);
    this.#lookedMs = nowMs;
    return bytesPerMs;
  }
}
