import { delay } from "@std/async/delay";

/** Waits for so many milliseconds, or until the signal aborts, which is no error. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, { signal }).catch(() => {});
}
