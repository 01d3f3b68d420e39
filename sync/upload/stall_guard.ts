/**
 * Aborts a request in which nothing has moved for too long.
 *
 * Time is counted in ticks of a timer, so that a machine that was suspended, or a
 * program that was stopped, does not find all its requests timed out when it
 * wakes.
 */
export class StallGuard implements Disposable {
  /** The longest silence, in milliseconds. */
  readonly limitMs: number;
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #timer: ReturnType<typeof setInterval>;
  #silentMs = 0;
  #hasStalled = false;

  /** @param outer Aborts the request for its own reason. */
  constructor(limitMs: number, outer?: AbortSignal) {
    this.limitMs = limitMs;
    this.#outer = outer;
    outer?.addEventListener("abort", this.#onOuterAbort);
    if (outer?.aborted) this.#onOuterAbort();
    const tickMs = Math.min(Math.max(limitMs / 10, 5), 1000);
    this.#timer = setInterval(() => {
      this.#silentMs += tickMs;
      if (this.#silentMs >= limitMs) this.#stall();
    }, tickMs);
  }

  /** Aborts the request. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it has aborted the request because nothing moved. */
  get hasStalled(): boolean {
    return this.#hasStalled;
  }

  /** Something moved. */
  progress(): void {
    this.#silentMs = 0;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#outer?.removeEventListener("abort", this.#onOuterAbort);
  }

  #stall(): void {
    clearInterval(this.#timer);
    this.#hasStalled = true;
    const reason = `No progress for ${this.limitMs / 1000} s`;
    this.#controller.abort(new DOMException(reason, "TimeoutError"));
  }

  readonly #onOuterAbort = (): void => {
    this.#controller.abort(this.#outer!.reason);
  };
}
