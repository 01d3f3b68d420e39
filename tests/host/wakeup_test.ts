import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
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

Deno.test("Wakeup.sleep() ends by itself after its time, and not before", async () => {
  using time = new FakeTime();
  const sleep = sleeper(new Wakeup(), 20);
  time.tick(19);
  await settle();
  assertEquals(sleep.isOver, false);
  time.tick(1);
  await settle();
  assertEquals(sleep.isOver, true);
});
