import { delay } from "@std/async/delay";

/** Waits for so many milliseconds at least, or until the signal aborts, which is no error. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  // A timer drops fractions.
  await delay(Math.ceil(ms), { signal }).catch(() => {});
}
