/** How many trials a wait of the shortest length earns, and how many run at a time. */
const TRIALS_PER_WAIT = 3;
const TRIALS_AT_A_TIME = 4;
/** After so many failures, less the deliveries since, it is the server: then a wait earns one trial. */
const MAX_FAILURES = 128;
/** After so many failures the first captures may all be bad: the last one is tried by turns. */
const MANY_FAILURES = 8;

/**
 * How many captures are tried after a wait: more after a long one than after a short
 * one, for if only those fail that happened to be first, others get through soon.
 */
export class Trials {
  #left = 0;
  #failures = 0;
  #fromEnd = false;
  #singles = 0;

  /** Whether none is left. */
  get areOver(): boolean {
    return this.#left <= 0;
  }

  /**
   * Whether to send the captures whose turn comes last, which may be unlike those that
   * come first: from a trial of one on, as long as such are taken.
   */
  get fromEnd(): boolean {
    return this.#fromEnd;
  }

  /** How many may be in flight. */
  get limit(): number {
    return Math.min(this.#left, TRIALS_AT_A_TIME);
  }

  /** @param waits How many times the shortest wait was waited: it earns one at least. */
  earn(waits: number): void {
    const most = MAX_FAILURES - this.#failures;
    const count = Math.min(Math.round(waits * TRIALS_PER_WAIT), most);
    this.#left = Math.max(count, 1);
    this.#turn();
  }

  /** Begins with one, from the end by turns, whatever the server says of itself. */
  beginOne(): void {
    this.#left = 1;
    this.#fromEnd = this.#singles++ % 2 === 0;
  }

  /** @param isLast Whether no other is to be tried. */
  failed(isLast: boolean): void {
    this.#failures = Math.min(this.#failures + 1, MAX_FAILURES);
    this.#left = isLast ? 0 : this.#left - 1;
    this.#turn();
  }

  delivered(): void {
    this.#failures = Math.max(this.#failures - 1, 0);
    if (this.#failures === 0) this.#fromEnd = false;
  }

  /** Forgets earlier failures. */
  forget(): void {
    this.#failures = 0;
    this.#fromEnd = false;
  }

  #turn(): void {
    this.#fromEnd = !this.#fromEnd && this.#failures >= MANY_FAILURES;
  }
}
