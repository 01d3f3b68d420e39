/** What the project uses of `@std/assert` about errors, over `node:assert`. */
import { AssertionError } from "node:assert";

// deno-lint-ignore no-explicit-any -- a constructor with any arguments, as in `@std/assert`
export type Constructor<T> = abstract new (...args: any[]) => T;

/** Ends a message with the caller's. */
export function suffix(message?: string): string {
  return message ? `: ${message}` : ".";
}

/** Fails unless the error is of the class and its message contains the text. */
function assertIsError<E extends Error>(
  error: unknown,
  errorClass: Constructor<E>,
  includes = "",
  message?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError({
      message: `A non-Error object was thrown${suffix(message)}`,
    });
  }
  if (!(error instanceof errorClass)) {
    throw new AssertionError({
      message:
        `Expected error to be instance of "${errorClass.name}", but was "${
          (error as Error).constructor.name
        }"${suffix(message)}`,
    });
  }
  if (!error.message.includes(includes)) {
    throw new AssertionError({
      message: `Expected error message to include ${
        JSON.stringify(includes)
      }, but got ${JSON.stringify(error.message)}${suffix(message)}`,
    });
  }
}

/** Fails unless the function throws; returns what it threw. */
export function assertThrows(fn: () => unknown, message?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: Constructor<E>,
  includes?: string,
  message?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  errorClass?: Constructor<Error> | string,
  includes?: string,
  message?: string,
): unknown {
  try {
    fn();
  } catch (error) {
    if (typeof errorClass === "function") {
      assertIsError(error, errorClass, includes, message);
    }
    return error;
  }
  const said = typeof errorClass === "string" ? errorClass : message;
  throw new AssertionError({
    message: `Expected function to throw${suffix(said)}`,
  });
}

/** Fails unless the promise is rejected; returns what it was rejected with. */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  message?: string,
): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: Constructor<E>,
  includes?: string,
  message?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  errorClass?: Constructor<Error> | string,
  includes?: string,
  message?: string,
): Promise<unknown> {
  const said = typeof errorClass === "string" ? errorClass : message;
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch {
    throw new AssertionError({
      message: `Function throws when expected to reject${suffix(said)}`,
    });
  }
  try {
    await promise;
  } catch (error) {
    if (typeof errorClass === "function") {
      assertIsError(error, errorClass, includes, message);
    }
    return error;
  }
  throw new AssertionError({
    message: `Expected function to reject${suffix(said)}`,
  });
}
