/** What the project uses of `@std/async/delay`. */

/** Options for {@linkcode delay}. */
export interface DelayOptions {
  /** Ends the wait early: the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** The longest time that one timer can wait; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Resolves after `ms` milliseconds; rejects when the signal is aborted before. */
export function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    // The global timer, not Node's, because FakeTime replaces the global one.
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      const restMs = ms - MAX_TIMER_MS;
      resolve(restMs > 0 ? delay(restMs, options) : undefined);
    }, Math.min(ms, MAX_TIMER_MS));
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
  });
}
