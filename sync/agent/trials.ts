/** How many trials a wait of the shortest length earns, and how many run at a time. */
const TRIALS_PER_WAIT = 3;
const TRIALS_AT_A_TIME = 4;
/** After so many failures, less the deliveries since, it is the server: then a wait earns one trial. */
const MAX_FAILURES = 128;

/**
 * How many captures are tried after a wait: more after a long one than after a short
 * one, for if only those fail that happened to be first, others get through soon.
 */
export class Trials {
  #left = 0;
  #failures = 0;

  /** Whether none is left. */
  get areOver(): boolean {
    return this.#left <= 0;
  }

  /** How many may be in flight. */
  get limit(): number {
    return Math.min(this.#left, TRIALS_AT_A_TIME);
  }

  /** @param waits How many times the shortest wait was waited. */
  earn(waits: number): void {
    const most = MAX_FAILURES - this.#failures;
    this.begin(Math.min(Math.round(waits * TRIALS_PER_WAIT), most));
  }

  /** Begins with so many, and with one at least. */
  begin(count: number): void {
    this.#left = Math.max(count, 1);
  }

  /** @param isLast Whether no other is to be tried. */
  failed(isLast: boolean): void {
    this.#failures = Math.min(this.#failures + 1, MAX_FAILURES);
    this.#left = isLast ? 0 : this.#left - 1;
  }

  delivered(): void {
    this.#failures = Math.max(this.#failures - 1, 0);
  }

  /** Forgets earlier failures. */
  forget(): void {
    this.#failures = 0;
  }
}
