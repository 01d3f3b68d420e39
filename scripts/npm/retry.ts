/** The part of `@std/async/retry` that the project uses. */
import { delay } from "./delay.ts";

/** Thrown once every attempt has failed; `cause` is the last failure. */
export class RetryError extends Error {
  constructor(cause: unknown, attempts: number) {
    super(`Retrying exceeded the maxAttempts (${attempts}).`, { cause });
    this.name = "RetryError";
  }
}

/** Options for {@linkcode retry}. */
export interface RetryOptions {
  /** How much longer each wait is than the one before it. @default {2} */
  multiplier?: number;
  /** The longest wait, in milliseconds. @default {60000} */
  maxTimeout?: number;
  /** How many attempts are made, the first one included. @default {5} */
  maxAttempts?: number;
  /** The first wait, in milliseconds. @default {1000} */
  minTimeout?: number;
  /** How much of a wait is left to chance, 0 to 1. @default {1} */
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
