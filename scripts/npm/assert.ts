/** The part of `@std/assert` that the project uses, over `node:assert`. */
import nodeAssert, { AssertionError } from "node:assert";
import { isDeepStrictEqual } from "node:util";

export { AssertionError };

// deno-lint-ignore no-explicit-any -- a constructor with any arguments, as in `@std/assert`
type Constructor<T> = abstract new (...args: any[]) => T;
/** The class and a part of the message that an error is to have, and the caller's message. */
type Expected = [(Constructor<Error> | string)?, string?, string?];
type Check<T, U = T> = (actual: T, expected: U, message?: string) => void;

/** Fails unless the value is truthy. */
export function assert(value: unknown, message = ""): asserts value {
  if (!value) throw new AssertionError({ message });
}

/** Always fails. */
export function fail(message?: string): never {
  throw new AssertionError({ message: explain("Failed assertion", message) });
}

/** Fails unless both values are deeply equal. */
export function assertEquals<T>(a: T, expected: T, message?: string): void {
  try {
    nodeAssert.deepStrictEqual(comparable(a), comparable(expected));
  } catch (error) {
    const difference = (error as Error).message;
    assert(false, `${explain("Values are not equal", message)}\n${difference}`);
  }
}

/** Fails if both values are deeply equal. */
export function assertNotEquals<T>(a: T, expected: T, message?: string): void {
  const areEqual = isDeepStrictEqual(comparable(a), comparable(expected));
  assert(!areEqual, explain(`Both are ${Deno.inspect(a)}`, message));
}

/**
 * Makes values alike that `@std/assert` takes for equal and Node does not: 0 and -0,
 * and an object without a prototype (a row of node:sqlite) and a plain one.
 */
function comparable(value: unknown): unknown {
  if (value === 0) return 0;
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return value;
  const keys = Reflect.ownKeys(value);
  return Object.fromEntries(
    keys.map((key) => [key, comparable(Reflect.get(value, key))]),
  );
}

/** Fails unless the text contains the other one. */
export const assertStringIncludes: Check<string> = (actual, part, message) =>
  assert(
    actual.includes(part),
    explain(`Expected actual: "${actual}" to contain: "${part}"`, message),
  );

/** Fails unless the text matches. */
export const assertMatch: Check<string, RegExp> = (actual, pattern, message) =>
  assert(
    pattern.test(actual),
    explain(`Expected actual: "${actual}" to match: ${pattern}`, message),
  );

/** Fails unless the value is an instance of the class. */
export function assertInstanceOf<T>(
  actual: unknown,
  expected: Constructor<T>,
  message?: string,
): asserts actual is T {
  const said = `Expected an instance of "${expected.name}", got `;
  const isOne = actual instanceof expected;
  assert(isOne, explain(said + Deno.inspect(actual), message));
}

/** Fails unless the function throws; returns the error. */
export function assertThrows(fn: () => unknown, message?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: Constructor<E>,
  includes?: string,
  message?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  ...expected: Expected
): unknown {
  try {
    fn();
  } catch (error) {
    return checkError(error, ...expected);
  }
  assert(false, explain("Expected function to throw", messageOf(expected)));
}

/** Fails unless the promise is rejected; returns the error. */
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
  ...expected: Expected
): Promise<unknown> {
  let promise: PromiseLike<unknown> | undefined;
  try {
    promise = fn();
    await promise;
  } catch (error) {
    if (promise) return checkError(error, ...expected);
    assert(false, "Function throws when expected to reject");
  }
  assert(false, explain("Expected function to reject", messageOf(expected)));
}

function checkError(
  error: unknown,
  ...[errorClass, includes = "", message]: Expected
): unknown {
  if (typeof errorClass !== "function") return error;
  assertInstanceOf(error, errorClass, message);
  assertStringIncludes(error.message, includes, message);
  return error;
}

function messageOf([first, , third]: Expected): string | undefined {
  return typeof first === "string" ? first : third;
}

function explain(what: string, message?: string): string {
  return message ? `${what}: ${message}` : what;
}
