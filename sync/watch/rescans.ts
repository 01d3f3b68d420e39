/** Every so many rescans' time all is looked at, even what seems unchanged. */
const FULL_RESCAN = 12;
/** The soonest that folders are looked through again, in milliseconds. */
const SOON_MS = 1_000;
/** How long nothing is looked through, at least, as a multiple of what the last time took. */
const REST = 50;

/** When folders are looked through again: now and then, and soon after something happened. */
export class Rescans {
  readonly #everyMs: number;
  #at = 0;
  #fullAt = 0;
  #begunAt = 0;
  #tookMs = 0;

  /** @param everyMs How often, in milliseconds, while nothing happens. */
  constructor(everyMs: number) {
    this.#everyMs = everyMs;
  }

  /** When the next one is due, as a time of `performance.now()`. */
  get at(): number {
    return this.#at;
  }

  /** Begins one if it is due; says whether everything is to be looked at. */
  begin(): "full" | "quick" | undefined {
    const now = performance.now();
    if (now < this.#at) return undefined;
    this.#begunAt = now;
    this.#at = now + this.#everyMs;
    if (now < this.#fullAt) return "quick";
    this.#fullAt = now + this.#everyMs * FULL_RESCAN;
    return "full";
  }

  /** It is done. */
  end(): void {
    this.#tookMs = performance.now() - this.#begunAt;
  }

  /** Lets the next one be soon: not before so many milliseconds, nor so soon that it would cost much. */
  soon(atLeastMs = 0): void {
    const ms = Math.max(atLeastMs, SOON_MS, this.#tookMs * REST);
    this.#at = Math.min(this.#at, performance.now() + ms);
  }
}
