import { assert, assertEquals } from "@std/assert";
import { Breaker, MAX_PROBE_MS } from "../../sync/agent/breaker.ts";

/** A breaker on a clock that the test moves. */
function breakerAt(random = 0) {
  const clock = { nowMs: 0 };
  const breaker = new Breaker({ now: () => clock.nowMs, random: () => random });
  return { clock, breaker };
}

const DOWN = { state: "down", reason: "Connection refused" } as const;

Deno.test("Breaker lets everything pass at first, and nothing once it has tripped", () => {
  const { breaker } = breakerAt();
  assertEquals([breaker.state, breaker.allowed(4)], ["unknown", 4]);
  breaker.trip(DOWN);
  assertEquals([breaker.state, breaker.allowed(4)], ["down", 0]);
  assertEquals(breaker.reason, "Connection refused");
});

Deno.test("Breaker waits 1 s, 2 s, 4 s and so on up to a minute between probes", () => {
  const { breaker, clock } = breakerAt();
  breaker.trip(DOWN);
  const waits: number[] = [];
  for (let probe = 0; probe < 8; probe++) {
    waits.push(breaker.waitMs());
    clock.nowMs += breaker.waitMs();
    breaker.probeFailed();
  }
  assertEquals(waits, [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]);
});

Deno.test("Breaker takes up to half of a wait off at random, never below 1 s", () => {
  const { breaker, clock } = breakerAt(0.999);
  breaker.trip(DOWN);
  assertEquals(breaker.waitMs(), 1000);
  clock.nowMs += 1000;
  breaker.probeFailed();
  assertEquals(Math.round(breaker.waitMs()), 1001);
});

Deno.test("Breaker lengthens the wait once when several captures in flight fail together", () => {
  const { breaker } = breakerAt();
  for (let i = 0; i < 4; i++) breaker.trip(DOWN);
  assertEquals(breaker.waitMs(), 1000);
});

Deno.test("Breaker waits for as long as the server asked", () => {
  const { breaker, clock } = breakerAt();
  breaker.trip({ ...DOWN, retryAfterMs: 600_000 });
  breaker.trip({ ...DOWN, retryAfterMs: 5_000 });
  assertEquals(breaker.waitMs(), 600_000);
  clock.nowMs += 600_000;
  assertEquals(breaker.waitMs(), 0);
});

Deno.test("Breaker allows one capture after a probe, and one more with every eight that succeed", () => {
  const { breaker } = breakerAt();
  breaker.trip(DOWN);
  breaker.close();
  const allowed = [breaker.allowed(4)];
  for (let i = 0; i < 4; i++) {
    for (let j = 0; j < 7; j++) breaker.succeeded();
    assertEquals(breaker.allowed(4), allowed.at(-1), "seven are not enough");
    breaker.succeeded();
    allowed.push(breaker.allowed(4));
  }
  assertEquals(allowed, [1, 2, 3, 4, 4]);
});

Deno.test("Breaker waits half as long with every eight that succeed", () => {
  const { breaker } = breakerAt();
  const waits = [0, 8, 40].map((delivered) => {
    for (let i = 0; i < 6; i++) {
      breaker.trip(DOWN);
      breaker.close();
    }
    for (let i = 0; i < delivered; i++) breaker.succeeded();
    breaker.trip(DOWN);
    const waitMs = Math.round(breaker.waitMs());
    breaker.close();
    return waitMs;
  });
  assertEquals(waits, [MAX_PROBE_MS, MAX_PROBE_MS / 2, MAX_PROBE_MS / 32]);
});

Deno.test("Breaker goes on lengthening the wait for a server that is ready and refuses everything", () => {
  const { breaker, clock } = breakerAt();
  for (let i = 0; i < 10; i++) {
    breaker.trip({ state: "paused", reason: "HTTP 401" });
    clock.nowMs += breaker.waitMs();
    breaker.close();
    assertEquals(breaker.state, "paused", "a probe proves nothing here");
  }
  breaker.trip({ state: "paused", reason: "HTTP 401" });
  assertEquals(breaker.waitMs(), MAX_PROBE_MS);
  breaker.close();
  for (let i = 0; i < 48; i++) breaker.succeeded();
  assertEquals([breaker.state, breaker.reason], ["ready", null]);
  breaker.trip(DOWN);
  assertEquals(breaker.waitMs(), 1000);
});

Deno.test("Breaker stays open when a capture succeeds that was in flight when another failed", () => {
  const { breaker } = breakerAt();
  breaker.trip(DOWN);
  breaker.succeeded();
  assert(breaker.isOpen);
  assertEquals(breaker.state, "down");
});

Deno.test("Breaker can be hurried to the next probe", () => {
  const { breaker } = breakerAt();
  breaker.trip(DOWN);
  breaker.hurry();
  assertEquals([breaker.waitMs(), breaker.isOpen], [0, true]);
});
