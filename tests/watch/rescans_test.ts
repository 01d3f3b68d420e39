import { assert, assertEquals } from "@std/assert";
import { Rescans } from "../../sync/watch/rescans.ts";

Deno.test("Rescans begins at once and with everything, then waits", () => {
  const rescans = new Rescans(60_000);
  assertEquals(rescans.begin(), "full");
  assertEquals(rescans.begin(), undefined);
  assert(rescans.at > performance.now() + 50_000);
});

Deno.test("Rescans looks at everything only now and then", () => {
  const rescans = new Rescans(0.01);
  const kinds = new Set<string | undefined>();
  for (let i = 0; i < 1_000; i++) kinds.add(rescans.begin());
  assert(kinds.has("full") && kinds.has("quick"), [...kinds].join());
});

Deno.test("Rescans.soon() brings the next one forward, as far as it is asked to, and puts none off", () => {
  const rescans = new Rescans(60_000);
  rescans.begin();
  rescans.end();
  rescans.soon(5_000);
  const at = rescans.at;
  assert(at < performance.now() + 50_000);
  assert(at > performance.now() + 4_000);
  rescans.soon(30_000);
  assertEquals(rescans.at, at);
});

Deno.test("Rescans.soon() rests for a multiple of what the last one took", () => {
  const rescans = new Rescans(3_600_000);
  const begun = performance.now();
  rescans.begin();
  while (performance.now() - begun < 100);
  rescans.end();
  rescans.soon();
  assert(rescans.at > performance.now() + 4_000);
});
