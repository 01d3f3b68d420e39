/**
 * A timer for all guards with the same tick: one for each would cost an upload
 * more than to read its file.
 */
class Ticker {
  readonly tickMs: number;
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(tickMs: number) {
    this.tickMs = tickMs;
  }

  /** Whether it ticks already. */
  get isRunning(): boolean {
    return this.#listeners.size > 0;
  }

  add(listener: () => void): void {
    if (!this.isRunning) {
      this.#timer = setInterval(
        () => this.#listeners.forEach((tick) => tick()),
        this.tickMs,
      );
    }
    this.#listeners.add(listener);
  }

  delete(listener: () => void): void {
    this.#listeners.delete(listener);
    if (!this.isRunning) clearInterval(this.#timer);
  }
}

/** By their ticks: there is one for each limit in use. */
const tickers = new Map<number, Ticker>();

function tickerFor(limitMs: number): Ticker {
  const tickMs = Math.min(Math.max(limitMs / 10, 5), 1000);
  const ticker = tickers.get(tickMs) ?? new Ticker(tickMs);
  tickers.set(tickMs, ticker);
  return ticker;
}

/**
 * Aborts a request in which nothing has moved for too long.
 *
 * Time is counted in ticks of a timer, so that a machine that was suspended, or a
 * program that was stopped, does not find all its requests timed out when it
 * wakes.
 */
export class StallGuard implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #limitMs: number;
  readonly #ticker: Ticker;
  #silentMs: number;
  #stalled = false;

  /**
   * @param limitMs The longest silence, in milliseconds.
   * @param outer Aborts the request for its own reason.
   */
  constructor(limitMs: number, outer?: AbortSignal) {
    this.#limitMs = limitMs;
    this.#outer = outer;
    outer?.addEventListener("abort", this.#onOuterAbort);
    if (outer?.aborted) this.#onOuterAbort();
    this.#ticker = tickerFor(limitMs);
    // The next tick of one that runs may come at once.
    this.#silentMs = this.#ticker.isRunning ? -this.#ticker.tickMs : 0;
    this.#ticker.add(this.#onTick);
  }

  /** What the request listens to. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the request was aborted for its silence. */
  get stalled(): boolean {
    return this.#stalled;
  }

  /** Something moved. */
  progress(): void {
    this.#silentMs = 0;
  }

  [Symbol.dispose](): void {
    this.#ticker.delete(this.#onTick);
    this.#outer?.removeEventListener("abort", this.#onOuterAbort);
  }

  readonly #onTick = (): void => {
    this.#silentMs += this.#ticker.tickMs;
    if (this.#silentMs < this.#limitMs || this.#stalled) return;
    this.#stalled = true;
    this.#controller.abort(
      new DOMException(
        `No progress for ${this.#limitMs / 1000} s`,
        "TimeoutError",
      ),
    );
  };

  readonly #onOuterAbort = (): void => {
    this.#controller.abort(this.#outer!.reason);
  };
}
