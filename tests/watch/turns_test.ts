import { assert } from "@std/assert";
import { Turns } from "../../sync/watch/turns.ts";

Deno.test("Turns lets timers and events have theirs in the midst of much work", async () => {
  let others = 0;
  const timer = setInterval(() => others++, 1);
  const turns = new Turns();
  const begun = performance.now();
  // Without turns it would work on to the end.
  while (others < 3 && performance.now() - begun < 5_000) {
    const part = performance.now();
    while (performance.now() - part < 1);
    await turns.end();
  }
  clearInterval(timer);
  assert(others >= 3, `${others} turns of others`);
});
