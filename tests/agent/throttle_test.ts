import { assert, assertEquals } from "@std/assert";
import { Throttle } from "../../sync/agent/throttle.ts";

const SECOND = 1000;

const FRESH = { id: "", snoozes: 0 };
let refused = 0;

/** A capture is refused that was never refused before. */
function busy(
  throttle: Throttle,
  retryAfterMs: number | null,
  startedMs: number,
): void {
  const capture = { id: `${refused++}`, snoozes: 0 };
  throttle.busy({ capture, reason: "HTTP 429", retryAfterMs, startedMs });
}

/** A throttle on a clock that the test moves. */
function throttleAt(random = 0) {
  const clock = { nowMs: 0 };
  const throttle = new Throttle({
    now: () => clock.nowMs,
    random: () => random,
  });
  const waitOut = (problem: string | null = null) => {
    clock.nowMs += throttle.waitMs;
    throttle.resume(problem);
  };
  return { clock, throttle, waitOut };
}

Deno.test("Throttle lets captures flow at first, and nothing once all fail", () => {
  const { throttle } = throttleAt();
  assertEquals([throttle.server.state, throttle.limit], ["unknown", 4]);
  throttle.failed("down", "Connection refused");
  assertEquals([throttle.server.state, throttle.limit], ["down", 0]);
  assertEquals(throttle.server.reason, "Connection refused");
});

Deno.test("Throttle waits 1 s, 2 s, 4 s and so on up to a minute between probes", () => {
  const { throttle, clock } = throttleAt();
  throttle.failed("down", "Connection refused");
  const waits: number[] = [];
  for (let probe = 0; probe < 8; probe++) {
    waits.push(throttle.waitMs);
    clock.nowMs += throttle.waitMs;
    throttle.resume("HTTP 503");
    // Now and then a capture is tried all the same.
    if (throttle.mode !== "waiting") {
      throttle.failed("down", "Connection refused");
    }
  }
  const seconds = [1, 2, 4, 8, 16, 32, 60, 60];
  assertEquals(waits, seconds.map((s) => s * SECOND));
});

Deno.test("Throttle takes up to half of a wait off at random, never below 1 s", () => {
  const { throttle, waitOut } = throttleAt(0.999);
  throttle.failed("down", "Connection refused");
  assertEquals(throttle.waitMs, 1000);
  waitOut("HTTP 503");
  assertEquals(Math.round(throttle.waitMs), 1001);
});

Deno.test("Throttle lengthens the wait once when several captures in flight fail together", () => {
  const { throttle } = throttleAt();
  for (let i = 0; i < 4; i++) throttle.failed("paused", "HTTP 502");
  for (let i = 0; i < 4; i++) busy(throttle, null, 0);
  assertEquals(throttle.waitMs, 1000);
});

Deno.test("Throttle waits for as long as the server asks once four are told so in a row, and needs no probe then", () => {
  const { throttle, clock, waitOut } = throttleAt();
  for (let told = 1; told < 4; told++) {
    busy(throttle, 600_000, clock.nowMs);
    assertEquals([throttle.waitMs, throttle.server.state], [
      1000,
      "unknown",
    ]);
    waitOut();
    assertEquals([throttle.mode, throttle.limit], ["flowing", 1]);
  }
  busy(throttle, 600_000, clock.nowMs);
  assertEquals([throttle.waitMs, throttle.server.state], [600_000, "paused"]);
  clock.nowMs += 600_000;
  assertEquals([throttle.waitMs, throttle.probes], [0, false]);
  throttle.resume();
  assertEquals([throttle.mode, throttle.limit], ["flowing", 1]);
  busy(throttle, 500_000, clock.nowMs);
  assertEquals(throttle.waitMs, 500_000);
});

Deno.test("Throttle takes the refusals of captures that were in flight together for no proof without another", () => {
  const { throttle, clock, waitOut } = throttleAt();
  for (let i = 0; i < 32; i++) busy(throttle, 600_000, 0);
  assertEquals([throttle.waitMs, throttle.server.state], [1000, "unknown"]);
  waitOut();
  busy(throttle, 600_000, 0);
  assertEquals(throttle.limit, 1, "one that was begun before");
  busy(throttle, 600_000, clock.nowMs);
  assertEquals(throttle.waitMs, 600_000);
});

Deno.test("Throttle sends one capture at a time after a delivered trial, then more as they get through", () => {
  const { clock, throttle, waitOut } = throttleAt();
  throttle.failed("down", "Connection refused");
  waitOut();
  const limits: number[] = [];
  for (let delivered = 1; delivered <= 500; delivered++) {
    clock.nowMs += 100 / throttle.limit;
    throttle.delivered(FRESH);
    limits.push(throttle.limit);
  }
  assertEquals(limits.slice(0, 8), [1, 1, 1, 1, 1, 1, 1, 2]);
  assertEquals(Math.max(...limits), 32);
  assertEquals(limits, limits.toSorted((a, b) => a - b));
  assertEquals([throttle.server.state, throttle.server.reason], [
    "ready",
    null,
  ]);
});

Deno.test("Throttle waits half as long with every eight deliveries", () => {
  const { throttle, waitOut } = throttleAt();
  const fail = () => {
    while (throttle.mode !== "waiting") throttle.failed("paused", "HTTP 502");
    const { waitMs } = throttle;
    waitOut();
    return waitMs;
  };
  for (let i = 0; i < 7; i++) fail();
  for (let i = 0; i < 8; i++) throttle.delivered(FRESH);
  assertEquals(Math.round(fail() / SECOND), 30);
  for (let i = 0; i < 40; i++) throttle.delivered(FRESH);
  assertEquals(Math.round(fail() / SECOND), 2);
});

Deno.test("Throttle ignores the delivery of a capture that was in flight when others failed", () => {
  const { throttle } = throttleAt();
  throttle.failed("down", "Connection refused");
  throttle.delivered(FRESH);
  assertEquals([throttle.mode === "waiting", throttle.server.state], [
    true,
    "down",
  ]);
});

Deno.test("Throttle has more captures tried the longer the wait was, until it must be the server", () => {
  const { throttle, waitOut } = throttleAt();
  throttle.failed("paused", "HTTP 403");
  const trials: number[] = [];
  for (let round = 0; round < 9; round++) {
    waitOut();
    assert(throttle.limit <= 4);
    let failed = 0;
    for (; throttle.mode !== "waiting"; failed++) {
      throttle.failed("paused", "HTTP 403");
    }
    trials.push(failed);
  }
  assertEquals(trials, [3, 6, 12, 24, 48, 35, 1, 1, 1]);
});

Deno.test("Throttle is paused, not ready, while a ready server takes nothing", () => {
  const { throttle, waitOut } = throttleAt();
  throttle.failed("paused", "HTTP 401");
  waitOut();
  assertEquals([throttle.server.state, throttle.server.reason], [
    "paused",
    "HTTP 401",
  ]);
});

Deno.test("Throttle has a capture tried now and then though the health page says no, and learns from it", () => {
  const { throttle, waitOut } = throttleAt();
  throttle.failed("down", "HTTP 500");
  for (let probe = 0; probe < 3; probe++) {
    waitOut("HTTP 503");
    assertEquals(throttle.mode, "waiting");
  }
  waitOut("HTTP 503");
  assertEquals([throttle.limit, throttle.server.state], [1, "down"]);
  throttle.delivered(FRESH);
  assertEquals([throttle.healthIsWrong, throttle.server.state], [
    true,
    "ready",
  ]);

  throttle.failed("paused", "HTTP 500");
  waitOut("HTTP 503");
  assert(throttle.limit > 0, "the health page counts for nothing now");
  waitOut();
  throttle.delivered(FRESH);
  assert(!throttle.healthIsWrong);
});

Deno.test("Throttle can be hurried to the end of its wait", () => {
  const { throttle } = throttleAt();
  throttle.failed("down", "Connection refused");
  throttle.hurry();
  assertEquals([throttle.waitMs, throttle.mode], [0, "waiting"]);
});

/** Decides whether a server takes what comes at a time, in milliseconds. */
type Server = (nowMs: number) => boolean;

/** What becomes of a large backlog under virtual time, when each answer takes 10 ms. */
function deliverTo(
  takes: Server,
  { seconds, retryAfterMs = null, before = () => {} }: {
    seconds: number;
    retryAfterMs?: number | null;
    before?: (throttle: Throttle) => void;
  },
): { delivered: number; asked: number; throttle: Throttle } {
  const { clock, throttle } = throttleAt(0.5);
  before(throttle);
  const running: { endsMs: number; isTaken: boolean }[] = [];
  let delivered = 0;
  let asked = 0;
  while (clock.nowMs < seconds * SECOND) {
    if (throttle.mode === "waiting" && throttle.waitMs === 0) throttle.resume();
    while (running.length < throttle.limit) {
      asked++;
      const isTaken = takes(clock.nowMs);
      running.push({ endsMs: clock.nowMs + 10, isTaken });
    }
    const ended = running.shift();
    if (!ended) {
      clock.nowMs += throttle.waitMs;
      continue;
    }
    clock.nowMs = ended.endsMs;
    if (ended.isTaken) throttle.delivered(FRESH);
    else busy(throttle, retryAfterMs, ended.endsMs - 10);
    if (ended.isTaken) delivered++;
  }
  return { delivered, asked, throttle };
}

/** Takes every second capture. */
function halfBroken(): Server {
  let asked = 0;
  return () => asked++ % 2 === 0;
}

/** Takes so many captures in each second. */
function limitedTo(perSecond: number): Server {
  let [second, taken] = [-1, 0];
  return (nowMs) => {
    const now = Math.floor(nowMs / SECOND);
    if (now !== second) [second, taken] = [now, 0];
    return taken++ < perSecond;
  };
}

Deno.test("Throttle gets much through to a server of which every second answer is a refusal", () => {
  for (const retryAfterMs of [SECOND, null]) {
    const { delivered, throttle } = deliverTo(halfBroken(), {
      seconds: 40,
      retryAfterMs,
    });
    assert(delivered >= 200, `${delivered} in 40 s`);
    assertEquals(throttle.server.state, "ready", "no outage to speak of");
  }
});

Deno.test("Throttle does so after a short outage, too", () => {
  const { delivered } = deliverTo(halfBroken(), {
    seconds: 60,
    retryAfterMs: SECOND,
    before: (throttle) => {
      throttle.failed("down", "Connection refused");
      throttle.resume("HTTP 503");
    },
  });
  assert(delivered >= 50, `${delivered} in 60 s`);
});

Deno.test("Throttle meets a limit of ten captures a second at nine or more", () => {
  for (const retryAfterMs of [SECOND, null]) {
    const { delivered, asked } = deliverTo(limitedTo(10), {
      seconds: 60,
      retryAfterMs,
    });
    assert(delivered >= 9 * 60, `${delivered / 60} a second`);
    assert(asked <= 2 * delivered, `asked for ${asked}`);
  }
});

/** Takes a capture if the last one was so long ago, in milliseconds. */
function spacedBy(ms: number): Server {
  let notBefore = 0;
  return (nowMs) => {
    if (nowMs < notBefore) return false;
    notBefore = nowMs + ms;
    return true;
  };
}

Deno.test("Throttle comes near to the rate of a server that takes a capture every 100 ms and refuses those between", () => {
  for (const retryAfterMs of [SECOND, null]) {
    const { delivered } = deliverTo(spacedBy(100), {
      seconds: 60,
      retryAfterMs,
    });
    assert(delivered >= 5 * 60, `${delivered / 60} a second`);
  }
});

for (const share of [2, 3, 4]) {
  Deno.test(`Throttle goes on with a server that takes one of ${share}`, () => {
    let asked = 0;
    const { delivered } = deliverTo(() => asked++ % share === 0, {
      seconds: 400,
      retryAfterMs: SECOND,
    });
    assert(delivered >= 400, `${delivered / 400} a second`);
  });
}

Deno.test("Throttle leaves a server alone that refuses everything", () => {
  const { asked, throttle } = deliverTo(() => false, { seconds: 3600 });
  assert(asked < 150, `${asked} in an hour`);
  assertEquals(throttle.server.state, "paused");
});

Deno.test("Throttle obeys a server that asks all for ten minutes, but for one more capture in the beginning", () => {
  const { asked, throttle } = deliverTo(() => false, {
    seconds: 3599,
    retryAfterMs: 600_000,
  });
  assertEquals(asked, 4 + 6);
  assertEquals(throttle.server.state, "paused");
});

Deno.test("Throttle gets much through to a server of which every second answer asks for half a minute", () => {
  const { delivered, throttle } = deliverTo(halfBroken(), {
    seconds: 40,
    retryAfterMs: 30_000,
  });
  assert(delivered >= 100, `${delivered} in 40 s`);
  assertEquals(throttle.server.state, "ready");
});
