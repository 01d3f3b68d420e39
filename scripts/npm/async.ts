/** The parts of `@std/async` that the project uses. */

/** Options for {@linkcode delay}. */
export interface DelayOptions {
  /** Ends the wait early: the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** Resolves after `ms` milliseconds; rejects when the signal is aborted before. */
export function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  const { signal } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    // The global timer, not Node's, because FakeTime replaces the global one.
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
  });
}

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

/** Thrown once every attempt has failed; `cause` is the last failure. */
export class RetryError extends Error {
  constructor(cause: unknown, attempts: number) {
    super(`Retrying exceeded the maxAttempts (${attempts}).`, { cause });
    this.name = "RetryError";
  }
}

/** Options for {@linkcode retry}. */
export interface RetryOptions {
  /** The factor by which each wait is longer than the one before it. @default {2} */
  multiplier?: number;
  /** The longest wait, in milliseconds. @default {60000} */
  maxTimeout?: number;
  /** How many attempts are made, the first one included. @default {5} */
  maxAttempts?: number;
  /** The first wait, in milliseconds. @default {1000} */
  minTimeout?: number;
  /** The share of a wait that is left to chance, 0 to 1. @default {1} */
  jitter?: number;
  /** Whether a failure is worth another attempt. @default {() => true} */
  isRetriable?: (error: unknown) => boolean;
  /** Ends the waits and the attempts: rejects with its reason. */
  signal?: AbortSignal;
}

/**
 * Calls `fn` until it succeeds.
 *
 * @throws {RetryError} when the last attempt failed
 * @throws the failure itself when `isRetriable` refuses it
 */
export async function retry<T>(
  fn: (() => Promise<T>) | (() => T),
  options: RetryOptions = {},
): Promise<T> {
  const {
    multiplier = 2,
    maxTimeout = 60_000,
    maxAttempts = 5,
    minTimeout = 1_000,
    jitter = 1,
    isRetriable = () => true,
    signal,
  } = options;
  let waitMs = minTimeout;
  for (let attempt = 1;; attempt++) {
    signal?.throwIfAborted();
    try {
      return await fn();
    } catch (error) {
      if (!isRetriable(error)) throw error;
      if (attempt >= maxAttempts) throw new RetryError(error, maxAttempts);
    }
    const jitteredMs = Math.min(waitMs, maxTimeout) *
      (1 - jitter * Math.random());
    await delay(jitteredMs, signal ? { signal } : {});
    waitMs *= multiplier;
  }
}
