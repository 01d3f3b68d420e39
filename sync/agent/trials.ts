/** How many trials a wait of the shortest length earns, and how many run at a time. */
const TRIALS_PER_WAIT = 3;
const TRIALS_AT_A_TIME = 4;
/** After so many failures, less the deliveries since, it is the server: then a wait earns one trial. */
const MAX_FAILURES = 128;
/** After so many failures the first captures may all be bad: the last one is tried by turns. */
const MANY_FAILURES = 8;

/**
 * How many captures are tried after a wait, and which: more after a long one than after
 * a short one, for if only those fail that happened to be first, others get through soon.
 */
export class Trials {
  #left = 0;
  #failures = 0;
  /** Whether each trial is made from the other end than the one before. */
  #alternate = false;
  #fromEnd = false;
  /** The captures that were taken from the end. */
  readonly #ofEnd = new Set<string>();

  /** Whether none is left. */
  get areOver(): boolean {
    return this.#left <= 0;
  }

  /** How many may be in flight. */
  get limit(): number {
    return Math.min(this.#left, TRIALS_AT_A_TIME);
  }

  /** @param waits How many times the shortest wait was waited: it earns one at least. */
  earn(waits: number): void {
    const most = MAX_FAILURES - this.#failures;
    const count = Math.min(Math.round(waits * TRIALS_PER_WAIT), most);
    this.#begin(Math.max(count, 1), this.#failures >= MANY_FAILURES);
  }

  /** Begins with one, from the end by turns, whatever the server says of itself. */
  beginOne(): void {
    this.#begin(1, true);
  }

  /**
   * Whether the next capture is to be the one whose turn comes last, which may be unlike
   * those that come first: by turns in trials, then from where one was delivered.
   *
   * @param isTrial Whether it is sent to show if any is taken.
   */
  takeFromEnd(isTrial: boolean): boolean {
    if (isTrial && this.#alternate) this.#fromEnd = !this.#fromEnd;
    return this.#fromEnd;
  }

  /** A capture was taken from the end. */
  tookLast(id: string): void {
    this.#ofEnd.add(id);
  }

  /** @param isLast Whether no other is to be tried. */
  failed(isLast: boolean): void {
    this.#failures = Math.min(this.#failures + 1, MAX_FAILURES);
    this.#left = isLast ? 0 : this.#left - 1;
    this.#alternate ||= this.#failures >= MANY_FAILURES;
  }

  delivered(id: string): void {
    this.#failures = Math.max(this.#failures - 1, 0);
    this.#fromEnd = this.#ofEnd.delete(id) && this.#failures > 0;
  }

  /** Forgets earlier failures. */
  forget(): void {
    this.#failures = 0;
    this.#fromEnd = false;
  }

  #begin(count: number, alternate: boolean): void {
    this.#left = count;
    this.#alternate = alternate;
    this.#ofEnd.clear();
  }
}
