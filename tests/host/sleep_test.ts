import { assert } from "@std/assert";
import { sleep } from "../../sync/host/sleep.ts";

Deno.test("sleep() waits for no less, also for parts of a millisecond", async () => {
  const { signal } = new AbortController();
  for (let i = 0; i < 300; i++) {
    const ms = 1 + Math.random();
    const begun = performance.now();
    await sleep(ms, signal);
    const waited = performance.now() - begun;
    assert(waited >= ms, `${waited} of ${ms} ms`);
  }
});
