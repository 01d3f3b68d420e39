/** The least pause after a rescan, as a multiple of its duration. */
const REST = { quick: 50, full: 500 };
/** The same after events were lost, with an upper limit. */
const SOON = { rest: 20, maxMs: 60_000 };

/** When folders are looked through again: now and then, but not so often that it costs much. */
export class RescanSchedule {
  readonly #everyMs: number;
  readonly #fullEveryMs: number;
  #at: number;
  #fullAt: number;
  #tookMs = 0;
  /** When a rescan was asked for, since the last one began. */
  #soonAt = Infinity;

  /**
   * @param everyMs How often folders are looked through whose list of names has changed.
   * @param fullEveryMs How often all are, to find files that were overwritten in place.
   */
  constructor(everyMs: number, fullEveryMs: number) {
    this.#everyMs = everyMs;
    this.#fullEveryMs = fullEveryMs;
    this.#at = performance.now() + everyMs;
    this.#fullAt = performance.now() + fullEveryMs;
  }

  /** When the next time is, by `performance.now()`. */
  get at(): number {
    return this.#at;
  }

  /** The rescan that is due now. */
  due(): keyof typeof REST | undefined {
    const now = performance.now();
    if (now < this.#at) return undefined;
    this.#soonAt = Infinity;
    return now < this.#fullAt ? "quick" : "full";
  }

  /** A rescan has ended that took so long. One asked for meanwhile stays due. */
  ended(kind: keyof typeof REST, tookMs: number): void {
    const now = performance.now();
    this.#tookMs = tookMs;
    this.#at = now + Math.max(this.#everyMs, tookMs * REST.quick);
    if (kind === "full") {
      this.#fullAt = now + Math.max(this.#fullEveryMs, tookMs * REST.full);
    }
    if (this.#soonAt < Infinity) this.soon(this.#soonAt - now);
  }

  /** Brings a full rescan forward, because events were lost. */
  soon(afterMs: number): void {
    const restMs = Math.min(this.#tookMs * SOON.rest, SOON.maxMs);
    const at = performance.now() + Math.max(afterMs, restMs);
    this.#soonAt = Math.min(this.#soonAt, at);
    this.#at = Math.min(this.#at, at);
    this.#fullAt = Math.min(this.#fullAt, at);
  }
}
