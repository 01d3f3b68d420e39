import { delay } from "@std/async/delay";

/**
 * Waits until `condition` returns something truthy, and returns that. The only
 * way in which a test waits for what it cannot await.
 *
 * @throws {Error} with `what` if that takes longer than 60 s: far beyond what
 * any test needs, so that a slow machine fails none.
 */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
  deadlineMs = 60_000,
): Promise<NonNullable<T>> {
  const until = performance.now() + deadlineMs;
  while (performance.now() < until) {
    const value = await condition();
    if (value) return value;
    await delay(20);
  }
  throw new Error(`Never happened within ${deadlineMs / 1000} s: ${what}`);
}
