export interface ConcurrencyOptions {
  /** The most captures at a time: a whole number from 1. */
  max: number;
  /** A clock that never jumps, in milliseconds. @default {performance.now} */
  now?: () => number;
}

/** How many captures are sent at a time before anything is known. */
const START = 4;
/** The captures for each place that double a level lower than the first one. */
const CAPTURES_TO_RECOVER = 8;
/** A level is judged by at least this many captures for each place … */
const CAPTURES_PER_PLACE = 4;
/** … and for at least so long, in milliseconds. */
const WINDOW_MS = 100;
/** The factor by which a higher level must be faster to be kept. */
const GAIN = 1.05;
/** How many windows pass between two tries of a higher level, at first and at most. */
const PATIENCE = 4;
const MAX_PATIENCE = 64;

/**
 * How many captures to send at a time: as many as bring more captures per
 * second, and one after the server could not be used: it is not stampeded then.
 *
 * A level is doubled, and kept if a twentieth more gets through; else it
 * falls back, and the next try comes later each time. Only times in which every
 * place was taken count: with little to do nothing changes. But a level below the
 * first one is doubled by some deliveries alone: a host with little to do would stay
 * there, and one large capture would hold up all others.
 */
export class Concurrency {
  readonly #max: number;
  readonly #now: () => number;
  readonly #start: number;
  #limit: number;
  /** The level that the present one is tried against, and its captures per millisecond. */
  #before: { limit: number; rate: number } | undefined;
  #patience = PATIENCE;
  #wait = 0;
  #delivered = 0;
  /** How many were delivered at a level that is lower than at first. */
  #recovered = 0;
  #sinceMs: number | undefined;

  constructor(options: ConcurrencyOptions) {
    this.#max = options.max;
    this.#now = options.now ?? (() => performance.now());
    this.#start = Math.min(START, options.max);
    this.#limit = this.#start;
  }

  /** How many captures may be on their way now. */
  get limit(): number {
    return this.#limit;
  }

  /** There is not enough to do to take every place. */
  starved(): void {
    this.#newWindow(undefined);
  }

  /** A capture got through. */
  delivered(): void {
    if (this.#limit < this.#start) return this.#recover();
    const now = this.#now();
    if (this.#sinceMs === undefined) return this.#newWindow(now);
    this.#delivered++;
    const elapsedMs = now - this.#sinceMs;
    const enough = this.#limit * CAPTURES_PER_PLACE;
    if (this.#delivered < enough || elapsedMs < WINDOW_MS) return;
    this.#judge(this.#delivered / elapsedMs);
    this.#newWindow(now);
  }

  /** The server could not be used, or asked for less. */
  reset(): void {
    this.#limit = 1;
    this.#recovered = 0;
    this.#before = undefined;
    // Earlier experience says nothing of the server that comes back.
    this.#patience = PATIENCE;
    this.#wait = 0;
    this.#newWindow(undefined);
  }

  #judge(rate: number): void {
    if (this.#before && rate < this.#before.rate * GAIN) {
      this.#limit = this.#before.limit;
      this.#before = undefined;
      this.#wait = this.#patience;
      this.#patience = Math.min(this.#patience * 2, MAX_PATIENCE);
      return;
    }
    if (this.#before) this.#patience = PATIENCE;
    this.#before = undefined;
    if (this.#wait-- > 0 || this.#limit >= this.#max) return;
    this.#before = { limit: this.#limit, rate };
    this.#limit = Math.min(this.#limit * 2, this.#max);
  }

  #recover(): void {
    this.#recovered++;
    if (this.#recovered < this.#limit * CAPTURES_TO_RECOVER) return;
    this.#recovered = 0;
    this.#limit = Math.min(this.#limit * 2, this.#start);
  }

  #newWindow(sinceMs: number | undefined): void {
    this.#delivered = 0;
    this.#sinceMs = sinceMs;
  }
}
