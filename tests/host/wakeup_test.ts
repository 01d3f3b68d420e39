import { assertEquals } from "@std/assert";
import { Wakeup } from "../../sync/host/wakeup.ts";

const LONG_MS = 1_000_000;

/** Sleeps, and says when it is over. */
function sleeper(wakeup: Wakeup, ms?: number): { isOver: boolean } {
  const state = { isOver: false };
  wakeup.sleep(ms).then(() => state.isOver = true);
  return state;
}

/** Lets everything run that can. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

Deno.test("Wakeup.wake() ends a sleep, and nothing else does before its time", async () => {
  const wakeup = new Wakeup();
  const sleep = sleeper(wakeup, LONG_MS);
  await settle();
  assertEquals(sleep.isOver, false);
  wakeup.wake();
  await settle();
  assertEquals(sleep.isOver, true);
});

Deno.test("Wakeup.wake() that comes while nobody sleeps ends the next sleep, and only that", async () => {
  const wakeup = new Wakeup();
  wakeup.wake();
  wakeup.wake();
  const first = sleeper(wakeup);
  await settle();
  assertEquals(first.isOver, true);
  const second = sleeper(wakeup);
  await settle();
  assertEquals(second.isOver, false);
  wakeup.wake();
  await settle();
  assertEquals(second.isOver, true);
});

Deno.test("Wakeup.sleep() ends by itself", async () => {
  const begun = performance.now();
  await new Wakeup().sleep(20);
  const tookMs = performance.now() - begun;
  assertEquals(tookMs >= 19 && tookMs < LONG_MS, true, `${tookMs} ms`);
});
