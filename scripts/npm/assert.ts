/** What the project uses of `@std/assert`, over `node:assert`. */
import nodeAssert, { AssertionError } from "node:assert";
import { isDeepStrictEqual } from "node:util";
import { type Constructor, suffix } from "./assert_throws.ts";

export { AssertionError };
export { assertRejects, assertThrows } from "./assert_throws.ts";

/** Fails unless the value is truthy. */
export function assert(value: unknown, message = ""): asserts value {
  if (!value) throw new AssertionError({ message });
}

/** Always fails. */
export function fail(message?: string): never {
  throw new AssertionError({ message: `Failed assertion${suffix(message)}` });
}

/** Fails unless both values are deeply equal. */
export function assertEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  const [a, b] = [comparable(actual), comparable(expected)];
  if (isDeepStrictEqual(a, b)) return;
  try {
    nodeAssert.deepStrictEqual(a, b);
  } catch (error) {
    const difference = error instanceof Error ? error.message : String(error);
    throw new AssertionError({
      message: `Values are not equal${suffix(message)}\n${difference}`,
    });
  }
}

/** Fails if both values are deeply equal. */
export function assertNotEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  if (!isDeepStrictEqual(comparable(actual), comparable(expected))) return;
  const shown = Deno.inspect(actual);
  throw new AssertionError({
    message: `Expected actual: ${shown} not to be: ${shown}${suffix(message)}`,
  });
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
  if (actual.includes(expected)) return;
  throw new AssertionError({
    message: `Expected actual: "${actual}" to contain: "${expected}"${
      suffix(message)
    }`,
  });
}

/** Fails unless the text matches. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  message?: string,
): void {
  if (expected.test(actual)) return;
  throw new AssertionError({
    message: `Expected actual: "${actual}" to match: "${expected}"${
      suffix(message)
    }`,
  });
}

/** Fails if the value is null or undefined. */
export function assertExists<T>(
  actual: T,
  message?: string,
): asserts actual is NonNullable<T> {
  if (actual !== undefined && actual !== null) return;
  throw new AssertionError({
    message: `Expected actual: "${actual}" to not be null or undefined${
      suffix(message)
    }`,
  });
}

/** Fails unless the value is an instance of the class. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: Constructor<T>,
  message?: string,
): asserts actual is T {
  if (actual instanceof expectedType) return;
  throw new AssertionError({
    message:
      `Expected object to be an instance of "${expectedType.name}" but was ${
        Deno.inspect(actual)
      }${suffix(message)}`,
  });
}

function compare<T>(
  isTrue: boolean,
  actual: T,
  sign: string,
  expected: T,
  message?: string,
): void {
  if (isTrue) return;
  throw new AssertionError({
    message: message ??
      `Expect ${Deno.inspect(actual)} ${sign} ${Deno.inspect(expected)}`,
  });
}

/** Fails unless `actual > expected`. */
export function assertGreater<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  compare(actual > expected, actual, ">", expected, message);
}

/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  compare(actual >= expected, actual, ">=", expected, message);
}

/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, message?: string): void {
  compare(actual < expected, actual, "<", expected, message);
}

/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  message?: string,
): void {
  compare(actual <= expected, actual, "<=", expected, message);
}
