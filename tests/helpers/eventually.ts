import { delay } from "@std/async/delay";

/**
 * Waits until `condition` returns something truthy, and returns that. The only
 * way in which a test waits for what it cannot await.
 *
 * @param deadlineMs By default a minute: far beyond what any test needs, so that a
 * slow machine fails none. Less only where a fault makes it happen later, not never.
 * @throws {Error} with `what` if it takes longer.
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
