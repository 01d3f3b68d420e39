/** The part of `@std/async/deadline` that the project uses. */

/** Settles as `promise` does; rejects with a `TimeoutError` after `ms` milliseconds. */
export function deadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  const signal = AbortSignal.timeout(ms);
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", abort));
  });
}
