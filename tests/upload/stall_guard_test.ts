import { assertEquals } from "@std/assert";
import { FakeTime } from "@std/testing/time";
import { StallGuard } from "../../sync/upload/stall_guard.ts";

Deno.test("StallGuard aborts when nothing has moved for its limit", () => {
  using time = new FakeTime();
  using guard = new StallGuard(30_000);
  time.tick(29_000);
  assertEquals(guard.signal.aborted, false);
  time.tick(1_000);
  const { reason } = guard.signal;
  assertEquals(reason.name, "TimeoutError");
  assertEquals(reason.message, "No progress for 30 s");
});

Deno.test("StallGuard waits as long as something moves", () => {
  using time = new FakeTime();
  using guard = new StallGuard(1_000);
  for (let i = 0; i < 100; i++) {
    time.tick(900);
    guard.progress();
  }
  assertEquals(guard.signal.aborted, false);
  time.tick(1_000);
  assertEquals(guard.signal.aborted, true);
});

Deno.test("StallGuard knows limits shorter than its own ticks", () => {
  using time = new FakeTime();
  using guard = new StallGuard(1);
  time.tick(5);
  assertEquals(guard.signal.aborted, true);
});

Deno.test("StallGuard does not count the time in which the program was stopped", () => {
  const { setInterval } = globalThis;
  const [wall, steady] = [Date.now, performance.now];
  let tick = () => {};
  Object.assign(globalThis, {
    setInterval: (run: () => void) => {
      tick = run;
    },
  });
  try {
    using guard = new StallGuard(30_000);
    tick();
    // Whoever wakes finds later clocks, and the timer due once.
    Date.now = () => wall() + 3_600_000;
    performance.now = () => steady.call(performance) + 3_600_000;
    tick();
    assertEquals(guard.signal.aborted, false);
    for (let ticks = 2; ticks < 30; ticks++) tick();
    assertEquals(guard.signal.aborted, true);
  } finally {
    Object.assign(globalThis, { setInterval });
    Date.now = wall;
    performance.now = steady;
  }
});

Deno.test("StallGuard passes on the outer signal's reason", () => {
  using _time = new FakeTime();
  const outer = new AbortController();
  using guard = new StallGuard(1_000, outer.signal);
  const reason = new Error("told to stop");
  outer.abort(reason);
  assertEquals(guard.signal.reason, reason);
});

Deno.test("StallGuard is aborted from the start by a signal that is", () => {
  using _time = new FakeTime();
  using guard = new StallGuard(1_000, AbortSignal.abort("over"));
  assertEquals(guard.signal.reason, "over");
});

Deno.test("StallGuard leaves no timer and no listener behind", () => {
  using time = new FakeTime();
  const outer = new AbortController();
  const guard = new StallGuard(1_000, outer.signal);
  guard[Symbol.dispose]();
  time.tick(10_000);
  outer.abort();
  assertEquals(guard.signal.aborted, false);
  assertEquals(time.next(), false);
});
