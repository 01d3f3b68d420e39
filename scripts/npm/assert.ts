/** What the project uses of `@std/assert`, over `node:assert`. */
import nodeAssert, { AssertionError } from "node:assert";
import { isDeepStrictEqual } from "node:util";

export { AssertionError };

// deno-lint-ignore no-explicit-any -- a constructor with any arguments, as in `@std/assert`
type Constructor<T> = abstract new (...args: any[]) => T;

/** Fails unless the value is truthy. */
export function assert(value: unknown, message = ""): asserts value {
  if (!value) throw new AssertionError({ message });
}

/** Always fails. */
export function fail(message?: string): never {
  raise("Failed assertion", message);
}

/** Fails unless both values are deeply equal. */
export function assertEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  try {
    nodeAssert.deepStrictEqual(comparable(actual), comparable(expected));
  } catch (error) {
    const difference = (error as Error).message;
    raise(`${explain("Values are not equal", message)}\n${difference}`);
  }
}

/** Fails if both values are deeply equal. */
export function assertNotEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  const areEqual = isDeepStrictEqual(comparable(actual), comparable(expected));
  assert(!areEqual, explain(`Both are ${Deno.inspect(actual)}`, message));
}

/**
 * Makes alike what `@std/assert` takes for equal and Node does not: 0 and -0, and an object
 * without a prototype (a row of node:sqlite) and a plain one.
 */
function comparable(value: unknown): unknown {
  if (value === 0) return 0;
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return value;
  return Object.fromEntries(
    Reflect.ownKeys(value).map((
      key,
    ) => [key, comparable(Reflect.get(value, key))]),
  );
}

/** Fails unless the text contains the other one. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  message?: string,
): void {
  const said = `Expected actual: "${actual}" to contain: "${expected}"`;
  assert(actual.includes(expected), explain(said, message));
}

/** Fails unless the text matches. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  message?: string,
): void {
  const said = `Expected actual: "${actual}" to match: "${expected}"`;
  assert(expected.test(actual), explain(said, message));
}

/** Fails if the value is null or undefined. */
export function assertExists<T>(
  actual: T,
  message?: string,
): asserts actual is NonNullable<T> {
  const isThere = actual !== undefined && actual !== null;
  assert(isThere, explain(`Expected a value, got ${actual}`, message));
}

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

/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, message?: string) {
  assert(actual > expected, message ?? `Expect ${actual} > ${expected}`);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  message?: string,
) {
  assert(actual >= expected, message ?? `Expect ${actual} >= ${expected}`);
}

/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, message?: string) {
  assert(actual < expected, message ?? `Expect ${actual} < ${expected}`);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, message?: string) {
  assert(actual <= expected, message ?? `Expect ${actual} <= ${expected}`);
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
    return checkError(error, errorClass, includes, message);
  }
  raise("Expected function to throw", message ?? errorClass);
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
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch {
    raise("Function throws when expected to reject", message);
  }
  try {
    await promise;
  } catch (error) {
    return checkError(error, errorClass, includes, message);
  }
  raise("Expected function to reject", message ?? errorClass);
}

function checkError(
  error: unknown,
  errorClass: Constructor<Error> | string | undefined,
  includes = "",
  message?: string,
): unknown {
  if (typeof errorClass !== "function") return error;
  assertInstanceOf(error, errorClass, message);
  assertStringIncludes(error.message, includes, message);
  return error;
}

function raise(what: string, message?: unknown): never {
  throw new AssertionError({ message: explain(what, message) });
}

function explain(what: string, message: unknown): string {
  return typeof message === "string" ? `${what}: ${message}` : what;
}
