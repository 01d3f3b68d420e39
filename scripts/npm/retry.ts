/** What the project uses of `@std/async/retry`, over p-retry. */
import pRetry from "p-retry";
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

/** A failure that may be tried again, told apart from what p-retry itself throws. */
class Retriable extends Error {}

/**
 * Calls `fn` until it succeeds.
 *
 * @throws {RetryError} when the last attempt failed
 * @throws the failure itself when `isRetriable` refuses it
 * @throws {RangeError} when an option is out of its range
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
  } = options;
  const { isRetriable = () => true, signal } = options;
  requireRange(
    "maxAttempts",
    maxAttempts,
    Number.isInteger(maxAttempts) && maxAttempts >= 1,
  );
  requireRange(
    "multiplier",
    multiplier,
    Number.isFinite(multiplier) && multiplier >= 1,
  );
  requireRange("maxTimeout", maxTimeout, maxTimeout > 0);
  requireRange(
    "minTimeout",
    minTimeout,
    minTimeout >= 0 && minTimeout <= maxTimeout,
  );
  requireRange("jitter", jitter, jitter >= 0 && jitter <= 1);

  // Every way to end is a function, so that p-retry sees only what may be tried again.
  const attempt = async (): Promise<() => T> => {
    if (signal?.aborted) return () => rethrow(signal.reason);
    try {
      const value = await fn();
      return () => value;
    } catch (error) {
      if (!isRetriable(error)) return () => rethrow(error);
      throw new Retriable("may be tried again", { cause: error });
    }
  };
  const wait = async (
    error: Error,
    attemptNumber: number,
  ): Promise<boolean> => {
    if (!(error instanceof Retriable)) return false;
    const waitMs = Math.min(
      maxTimeout,
      minTimeout * multiplier ** (attemptNumber - 1),
    );
    await delay(
      (1 - jitter * Math.random()) * waitMs,
      signal ? { signal } : {},
    );
    return true;
  };
  try {
    const end = await pRetry(attempt, {
      retries: maxAttempts - 1,
      minTimeout: 0, // p-retry's own waits know no jitter below the full time
      shouldRetry: ({ error, attemptNumber }) => wait(error, attemptNumber),
    });
    return end();
  } catch (error) {
    throw error instanceof Retriable
      ? new RetryError(error.cause, maxAttempts)
      : error;
  }
}

function requireRange(name: string, value: number, isInRange: boolean): void {
  if (!isInRange) {
    throw new RangeError(
      `Cannot retry as '${name}' is out of range: current value is ${value}`,
    );
  }
}

function rethrow(error: unknown): never {
  throw error;
}
