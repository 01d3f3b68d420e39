import { assert, assertEquals, assertMatch } from "@std/assert";
import { AgentFixture } from "../helpers/agent_fixture.ts";
import {
  CaptureServer,
  created,
  deadUrl,
  type SeenUpload,
} from "../helpers/capture_server.ts";
import { CuttingProxy } from "../helpers/cutting_proxy.ts";
import { eventually } from "../helpers/eventually.ts";

const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${prefix}-${n}`);

/** Answers like this to captures whose name begins with "bad", and takes the others. */
function badOnly(answer: () => Response) {
  return (upload: SeenUpload) =>
    upload.filename.startsWith("bad") ? answer() : created(upload);
}

const ANSWERS = {
  "403": () => new Response(null, { status: 403 }),
  "500": () => new Response("boom", { status: 500 }),
  "a captive portal's page": () => new Response("<html>Sign in</html>"),
};

for (const [what, answer] of Object.entries(ANSWERS)) {
  Deno.test(`Healthy captures go soon behind a hundred that are answered ${what}`, async () => {
    await using server = new CaptureServer();
    await using fixture = new AgentFixture(server.url);
    server.answer = badOnly(answer);
    const bad = fixture.enqueue(...names("bad", 100));
    fixture.enqueue(...names("good", 5));
    await using _running = fixture.running({ snoozeMs: 60_000 });

    await eventually(
      "the good ones arrive",
      () => fixture.queue.getStats().delivered === 5,
    );

    await eventually(
      "the others wait",
      () => fixture.queue.getStats().pending === 100,
    );
    assertEquals(fixture.queue.getStats().failed, 0);
    assert(fixture.attempts(bad).every((attempts) => attempts <= 1));
  });

  Deno.test(`One sync gets healthy captures through behind 15 that are answered ${what}`, async () => {
    await using server = new CaptureServer();
    await using fixture = new AgentFixture(server.url);
    server.answer = badOnly(answer);
    fixture.enqueue(...names("bad", 15), ...names("good", 5));
    assertEquals((await fixture.agent().runOnce()).delivered, 5);
  });
}

Deno.test("Four hundred captures that are refused hold up none that came later", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = badOnly(() => new Response("blocked", { status: 403 }));
  fixture.enqueue(...names("bad", 400), ...names("good", 20));
  await using _running = fixture.running({ snoozeMs: 60_000 });
  await eventually(
    "the good ones arrive",
    () => fixture.queue.getStats().delivered === 20,
    5_000,
  );
});

Deno.test("A capture that gets a 500 while others pass is charged, and holds up none", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = badOnly(ANSWERS["500"]);
  const [first] = fixture.enqueue("bad");
  fixture.enqueue(...names("good", 3), "bad too", "good");

  const report = await fixture.agent({ concurrency: 1 }).runOnce();

  assertEquals(report, { delivered: 4, failed: 0, postponed: 2 });
  const row = fixture.queue.get(first!)!;
  assertEquals([row.status, row.attempts, row.lastError], [
    "pending",
    1,
    "HTTP 500: boom",
  ]);
  assertEquals(fixture.queue.getAgentState().serverState, "ready");
});

Deno.test("Ten syncs charge nothing while every upload gets a 502 and the health page is fine", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () => new Response("no backend", { status: 502 });
  const ids = fixture.enqueue("a", "b", "c");

  for (let sync = 0; sync < 10; sync++) {
    fixture.queue.makeAllDue();
    await fixture.agent().runOnce();
  }

  assertEquals(fixture.attempts(ids), [0, 0, 0]);
  const { serverState, serverReason } = fixture.queue.getAgentState();
  assertEquals([serverState, serverReason], ["paused", "HTTP 502 Bad Gateway"]);
  assertEquals(
    fixture.logged.at(-1),
    "warn The server cannot be used, 3 captures wait: HTTP 502 Bad Gateway",
  );
});

Deno.test("An outage that begins amid deliveries charges nothing, and ends by itself", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  let asked = 0;
  const out = () => asked > 30 && asked <= 130;
  server.answer = (upload) => {
    asked++;
    return out() ? new Response(null, { status: 502 }) : created(upload);
  };
  const ids = fixture.enqueue(...names("c", 100));
  await using _running = fixture.running();

  await eventually("the outage is there", () => asked > 60);
  const charged = ids.filter((id) =>
    (fixture.queue.get(id)?.attempts ?? 0) > 0
  );
  assertEquals(charged, []);
  await eventually(
    "all are delivered",
    () => fixture.queue.getStats().delivered === 100,
  );
});

Deno.test("No capture waits for longer than an outage of which the health page tells", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.ready = false;
  server.unreadyStatus = 503;
  let isUp = false;
  server.answer = (upload) =>
    isUp ? created(upload) : new Response(null, { status: 503 });
  fixture.enqueue(...names("c", 30));
  await using _running = fixture.running({ snoozeMs: 60_000 });
  // The first ones fail together; of the later ones each is a trial.
  const { uploads } = server;
  await eventually("some are sent in vain", () => uploads.length > 10);
  isUp = server.ready = true;
  await eventually(
    "all are delivered",
    () => fixture.queue.getStats().delivered === 30,
    20_000,
  );
});

Deno.test("A server that fails everything is left alone before its health page has answered", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const held = Promise.withResolvers<void>();
  server.healthHeld = held.promise;
  using _release = { [Symbol.dispose]: held.resolve };
  server.answer = () => new Response(null, { status: 502 });
  fixture.enqueue(...names("c", 200));
  await using running = fixture.running();
  await eventually("it is asked for its health", () => server.probes > 0);
  // It stays so until the health page answers; "down" would be its answer.
  await eventually("uploads end", () => {
    const { mode, server: { state } } = fixture.throttle;
    return mode === "waiting" && state === "paused" && server.inFlight === 0;
  });
  assert(server.uploads.length < 20, `${server.uploads.length} were sent`);
  held.resolve();
  await running.stop();
});

Deno.test("A proxy that answers 401 to everything pauses the agent, uncharged, until it lets captures in", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () => new Response(null, { status: 401 });
  const ids = fixture.enqueue("a", "b", "c");
  await using _running = fixture.running();
  await eventually("some were tried", () => server.uploads.length > 10);
  assertEquals(fixture.attempts(ids), [0, 0, 0]);
  assertEquals(fixture.queue.getAgentState().serverState, "paused");

  server.answer = created;
  await eventually(
    "all are delivered",
    () => fixture.queue.getStats().delivered === 3,
  );
});

Deno.test("A dead server leaves the queue as it is", async () => {
  await using fixture = new AgentFixture(deadUrl());
  const ids = fixture.enqueue("a", "b", "c");

  const report = await fixture.agent().runOnce();

  assertEquals(report.delivered + report.failed, 0);
  assertEquals(fixture.attempts(ids), [0, 0, 0]);
  assertEquals(fixture.queue.getPending().length, 3, "due at once");
  assertEquals(fixture.throttle.server.state, "down");
  assertMatch(fixture.queue.get(ids[0]!)!.lastError ?? "", /Cannot reach/);
});

for (const [status, bad] of [[404, 20], [503, 5]] as const) {
  Deno.test(`Captures go on though the health page always says ${status}`, async () => {
    await using server = new CaptureServer();
    await using fixture = new AgentFixture(server.url);
    server.ready = false;
    server.unreadyStatus = status;
    server.answer = badOnly(ANSWERS["500"]);
    fixture.enqueue(...names("bad", bad), ...names("good", 20));
    await using _running = fixture.running({ snoozeMs: 60_000 });
    await eventually(
      "the good ones arrive",
      () => fixture.queue.getStats().delivered === 20,
    );
    assertEquals(fixture.queue.getStats().failed, 0);
  });
}

Deno.test("Captures whose upload hangs are passed by others while the health page is fine", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url, { timeout: 200 });
  const never = Promise.withResolvers<Response>();
  server.answer = (upload) =>
    upload.filename.startsWith("bad") ? never.promise : created(upload);
  const bad = fixture.enqueue(...names("bad", 15));
  fixture.enqueue("good");
  await using _running = fixture.running({ snoozeMs: 60_000 });
  await eventually(
    "the good one arrives",
    () => fixture.queue.getStats().delivered === 1,
  );
  assert(fixture.attempts(bad).every((attempts) => attempts === 0));
  never.resolve(new Response());
});

Deno.test("A capture that hangs when it is tried again takes the place of no new one", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url, { timeout: 120_000 });
  const never = Promise.withResolvers<Response>();
  let asked = 0;
  server.answer = (upload) => {
    if (upload.filename !== "bad") return created(upload);
    return asked++ === 0 ? new Response(null, { status: 409 }) : never.promise;
  };
  fixture.enqueue("bad");
  await using running = fixture.running({ concurrency: 1, snoozeMs: 10 });
  await eventually("it hangs", () => asked === 2);
  for (const count of [1, 2]) {
    fixture.enqueue("good");
    running.agent.wake();
    await eventually(
      "the good one arrives",
      () => fixture.queue.getStats().delivered === count,
    );
  }
  assertEquals(server.mostInFlight, 2);
  never.resolve(new Response());
});

Deno.test("A capture whose connection is always reset is passed by the others", async () => {
  await using server = new CaptureServer();
  await using cutter = new CuttingProxy(server.port, "bytes of bad");
  await using fixture = new AgentFixture(cutter.url);
  const [bad] = fixture.enqueue("bad", "b", "c");

  assertEquals((await fixture.agent().runOnce()).delivered, 2);

  const row = fixture.queue.get(bad!)!;
  assertEquals([row.status, row.attempts], ["pending", 0]);
});

Deno.test("A busy server is left alone by all for as long as Retry-After says", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () =>
    new Response(null, { status: 429, headers: { "retry-after": "600" } });
  const ids = fixture.enqueue("a", "b", "c", "d", "e", "f");

  await fixture.agent({ throttle: fixture.throttle }).runOnce();
  const { length } = server.uploads;
  await fixture.agent().runOnce();

  assertEquals(server.uploads.length, length);
  assert(fixture.throttle.waitMs > 590_000);
  assertEquals(fixture.queue.getAgentState().serverState, "paused");
  assertEquals(fixture.attempts(ids), [0, 0, 0, 0, 0, 0]);
});

Deno.test("One sync gets everything through to a server that refuses every second capture for a moment", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  let asked = 0;
  server.answer = (upload) =>
    asked++ % 2 === 0 ? created(upload) : new Response(null, {
      status: 503,
      headers: { "retry-after": "0.01" },
    });
  fixture.enqueue(...names("c", 50));

  assertEquals((await fixture.agent().runOnce()).delivered, 50);
  assert(!fixture.logged.some((line) => line.includes("cannot be used")));
});

Deno.test("A capture that alone is told to come later holds up no other", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = badOnly(() =>
    new Response(null, { status: 429, headers: { "retry-after": "0.01" } })
  );
  fixture.enqueue("bad", ...names("good", 20));
  // With more places the others would pass it in any case.
  await using _running = fixture.running({ concurrency: 1 });
  await eventually(
    "the good ones arrive",
    () => fixture.queue.getStats().delivered === 20,
  );
});

Deno.test("A capture whose earlier request is in progress still waits alone, and is delivered", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = badOnly(() => new Response(null, { status: 409 }));
  const [bad] = fixture.enqueue("bad", "good");
  await using _running = fixture.running();
  await eventually(
    "it was tried, and the other one delivered",
    () => fixture.queue.get(bad!)!.lastError !== null && server.names[1],
  );
  server.answer = created;
  await eventually(
    "both are delivered",
    () => fixture.queue.getStats().delivered === 2,
  );
  assertEquals(fixture.throttle.server.state, "ready");
});

const inProgress = () => new Response(null, { status: 409 });

Deno.test("Captures that are all said to be in progress are an outage, and all are due when one is delivered", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const held = Promise.withResolvers<void>();
  server.healthHeld = held.promise;
  using _release = { [Symbol.dispose]: held.resolve };
  server.answer = inProgress;
  const ids = fixture.enqueue(...names("c", 60));
  await using _running = fixture.running({ snoozeMs: 60_000 });
  await eventually("the outage is told", () => {
    const { serverState, serverReason } = fixture.queue.getAgentState();
    return serverState === "paused" && serverReason === "HTTP 409 Conflict";
  });
  // It stays so until the health page answers.
  await eventually(
    "the round is over",
    () => fixture.throttle.mode === "waiting" && server.inFlight === 0,
  );
  assert(server.uploads.length < 30, `${server.uploads.length} were sent`);
  assert(fixture.attempts(ids).every((attempts) => attempts === 0));
  server.answer = created;
  held.resolve();
  await eventually(
    "all are delivered",
    () => fixture.queue.getStats().delivered === 60,
    20_000,
  );
});

Deno.test("The fourth capture in a row that is said to be in progress makes it an outage, however slowly they come", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = inProgress;
  await using running = fixture.running({ snoozeMs: 60_000 });
  for (const [n, name] of names("c", 4).entries()) {
    assertEquals(fixture.throttle.mode, "flowing", name);
    const [id] = fixture.enqueue(name);
    running.agent.wake();
    await eventually(
      "it was tried",
      () => server.uploads.length > n && fixture.queue.get(id!)!.nextAttemptAt,
    );
  }
  assertEquals(fixture.throttle.server.state, "paused");
  server.answer = created;
  fixture.enqueue("new");
  running.agent.wake();
  await eventually(
    "all are delivered",
    () => fixture.queue.getStats().delivered === 5,
    20_000,
  );
});

Deno.test({
  name:
    "A file that cannot be read now waits alone, uncharged, and is delivered",
  // Root may read every file.
  ignore: Deno.build.os === "windows" || Deno.uid() === 0,
  async fn() {
    await using server = new CaptureServer();
    await using fixture = new AgentFixture(server.url);
    const [id] = fixture.enqueue("bad", "good");
    const path = fixture.dir.join("bad");
    Deno.chmodSync(path, 0);
    await using _running = fixture.running();
    await eventually(
      "it was tried, and the other one delivered",
      () => fixture.queue.get(id!)!.lastError && server.names[0] === "good",
    );
    assertEquals(fixture.attempts([id!]), [0]);
    assertMatch(fixture.logged.join("\n"), /warn Capture "bad" .* again in/);

    Deno.chmodSync(path, 0o600);
    await eventually(
      "both are delivered",
      () => fixture.queue.getStats().delivered === 2,
    );
  },
});

Deno.test("A capture that the server refuses for good fails at once, with the server's words", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () => new Response("too odd", { status: 422 });
  const [id] = fixture.enqueue("a");

  const report = await fixture.agent().runOnce();

  assertEquals(report, { delivered: 0, failed: 1, postponed: 0 });
  const row = fixture.queue.get(id!)!;
  assertEquals([row.status, row.lastError], ["failed", "HTTP 422: too odd"]);
  assertEquals(server.uploads.length, 1);
  assertMatch(
    fixture.logged.at(-1)!,
    /error Capture "a" .* failed and is kept .*: HTTP 422 Unprocessable Content; "jarvis-agent show .*" has the server's words$/,
  );
});

for (const status of [400, 410]) {
  Deno.test(`Captures that are answered ${status} wait, uncharged, while the health page is answered so too, and go when it is ready`, async () => {
    await using server = new CaptureServer();
    await using fixture = new AgentFixture(server.url);
    fixture.enqueue("before");
    await using running = fixture.running();
    await eventually(
      "one is delivered",
      () => fixture.queue.getStats().delivered === 1,
    );
    server.ready = false;
    server.unreadyStatus = status;
    server.answer = () => new Response("no certificate", { status });
    const ids = fixture.enqueue(...names("c", 40));
    running.agent.wake();
    const line =
      `warn The server cannot be used, 40 captures wait: HTTP ${status}`;
    await eventually(
      "some are tried again, and the log tells",
      () =>
        server.probes > 8 &&
        fixture.logged.some((said) => said.startsWith(line)),
    );
    assertEquals(fixture.queue.getStats().failed, 0);
    assert(fixture.attempts(ids).every((attempts) => attempts === 0));
    const { serverState, serverReason } = fixture.queue.getAgentState();
    assertEquals(serverState, "down");
    assertMatch(serverReason!, new RegExp(`^HTTP ${status}`));

    server.ready = true;
    server.answer = created;
    await eventually(
      "all are delivered",
      () => fixture.queue.getStats().delivered === 41,
    );
  });
}

Deno.test("Captures that are refused for good fail while others pass, whatever the health page says", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.ready = false;
  server.answer = badOnly(() => new Response(null, { status: 422 }));
  fixture.enqueue(...names("bad", 5), ...names("good", 20));
  await using _running = fixture.running();
  await eventually("the good ones arrive, and the bad ones fail", () => {
    const { delivered, failed } = fixture.queue.getStats();
    return delivered === 20 && failed === 5;
  });
});

Deno.test("A capture now and then that is refused for good holds up none, though the health page is never ready", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.ready = false;
  server.answer = badOnly(() => new Response(null, { status: 422 }));
  await using running = fixture.running();
  for (let n = 1; n <= 6; n++) {
    fixture.enqueue(`bad ${n}`, `good ${n}`);
    running.agent.wake();
    await eventually(
      `good ${n} arrives`,
      () => fixture.queue.getStats().delivered === n,
      2_000,
    );
  }
  await eventually(
    "the bad ones fail",
    () => fixture.queue.getStats().failed >= 5,
  );
});

Deno.test("A server that refuses the only capture and says that it is not ready is told of", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.ready = false;
  server.answer = () => new Response(null, { status: 400 });
  const [id] = fixture.enqueue("only");
  await using _running = fixture.running({ snoozeMs: 60_000 });
  await eventually(
    "it is told",
    () => fixture.queue.getAgentState().serverState === "paused",
  );
  assertEquals(fixture.queue.get(id!)?.status, "pending");
});

Deno.test("Thirty captures that are refused at the head hold up none, whatever the health page says", async () => {
  for (const ready of [true, false]) {
    await using server = new CaptureServer();
    await using fixture = new AgentFixture(server.url);
    server.ready = ready;
    server.answer = badOnly(() => new Response(null, { status: 422 }));
    fixture.enqueue(...names("bad", 30), ...names("good", 10));
    await using _running = fixture.running();
    await eventually(
      "the good ones arrive",
      () => fixture.queue.getStats().delivered === 10,
      5_000,
    );
  }
});

for (const status of [403, 500]) {
  Deno.test(`One sync gets healthy captures through behind 40 that are answered ${status}`, async () => {
    await using server = new CaptureServer();
    await using fixture = new AgentFixture(server.url);
    server.answer = badOnly(() => new Response(null, { status }));
    fixture.enqueue(...names("bad", 40), ...names("good", 5));
    assertEquals((await fixture.agent().runOnce()).delivered, 5);
  });
}

Deno.test("A server that gives different captures one id is warned of once", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () => Response.json({ id: 'the "one"' });
  fixture.enqueue("a", "b", "c");
  assertEquals((await fixture.agent().runOnce()).delivered, 3);
  const warned = fixture.logged.filter((line) => line.startsWith("warn"));
  assertEquals(warned.length, 1);
  assertMatch(
    warned[0]!,
    /gave the id "the \\"one\\"" to different captures: .* or a stub .* "size" or "sha256"/,
  );
});

Deno.test("A capture that is too large for a while waits alone for as long as Retry-After says, uncharged", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const headers = { "retry-after": "600" };
  server.answer = badOnly(() => new Response(null, { status: 413, headers }));
  const bad = fixture.enqueue(...names("bad", 10));
  fixture.enqueue(...names("good", 5));
  const report = await fixture.agent({ concurrency: 1 }).runOnce();
  assertEquals(report, { delivered: 5, failed: 0, postponed: 10 });
  assertEquals(server.uploads.length, 15);
  const waits = bad.map((id) =>
    Date.parse(fixture.queue.get(id)!.nextAttemptAt!) - Date.now()
  );
  assert(waits.every((ms) => ms > 500_000 && ms <= 600_000), `${waits}`);
  assert(fixture.attempts(bad).every((attempts) => attempts === 0));
});

for (const status of [409, 413]) {
  Deno.test(`A capture that is answered ${status} with Retry-After: 0 every time is not sent without a pause`, async () => {
    await using server = new CaptureServer();
    await using fixture = new AgentFixture(server.url);
    const headers = { "retry-after": "0" };
    server.answer = badOnly(() => new Response(null, { status, headers }));
    fixture.enqueue("bad");
    await using running = fixture.running({ snoozeMs: 60_000 });
    for (const [n, good] of names("good", 10).entries()) {
      fixture.enqueue(good);
      running.agent.wake();
      await eventually(
        "the good one arrives",
        () => fixture.queue.getStats().delivered === n + 1,
      );
    }
    const sent = server.names.filter((name) => name === "bad").length;
    assert(sent <= 3, `sent ${sent} times`);
  });
}

Deno.test("A capture whose file is gone fails at once, and the others are delivered", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const [gone] = fixture.enqueue("gone", "b");
  Deno.removeSync(fixture.dir.join("gone"));

  const report = await fixture.agent().runOnce();

  assertEquals(report, { delivered: 1, failed: 1, postponed: 0 });
  const { lastError } = fixture.queue.get(gone!)!;
  assertMatch(lastError ?? "", /gone": the file is gone/);
});
