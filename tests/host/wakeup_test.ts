import { Wakeup } from "../../sync/host/wakeup.ts";

const LONG_MS = 1_000_000;

Deno.test("Wakeup.wake() ends a sleep", async () => {
  const wakeup = new Wakeup();
  const sleeping = wakeup.sleep(LONG_MS);
  wakeup.wake();
  await sleeping;
});

Deno.test("Wakeup.wake() that comes while nobody sleeps ends the next sleep", async () => {
  const wakeup = new Wakeup();
  wakeup.wake();
  wakeup.wake();
  await wakeup.sleep(LONG_MS);
  const second = wakeup.sleep(LONG_MS);
  wakeup.wake();
  await second;
});

Deno.test("Wakeup.sleep() ends by itself", async () => {
  await new Wakeup().sleep(1);
});
