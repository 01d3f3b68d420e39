import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  acquireAgentLock,
  AgentRunningError,
} from "../../sync/agent/agent_lock.ts";
import { DatabaseError } from "../../sync/queue/sqlite.ts";
import { Throttle } from "../../sync/agent/throttle.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { AgentFixture } from "../helpers/agent_fixture.ts";
import { CaptureServer, created, deadUrl } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";

Deno.test("SyncAgent.runOnce() delivers everything, oldest first, and keeps it in the ledger", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const ids = fixture.enqueue("a", "b", "c");

  const report = await fixture.agent().runOnce();

  assertEquals(report, { delivered: 3, failed: 0, postponed: 0 });
  assertEquals(server.uploads.map(({ key }) => key).sort(), [...ids].sort());
  assertEquals(fixture.queue.getStats(), {
    pending: 0,
    uploading: 0,
    failed: 0,
    delivered: 3,
  });
  assert(ids.every((id) => fixture.queue.wasDelivered(id)));
});

Deno.test("SyncAgent.runOnce() delivers what a crashed agent left uploading, uncharged and under the same key", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const [id] = fixture.enqueue("a");
  fixture.queue.claim(1);
  assertEquals(fixture.queue.getStats().uploading, 1);

  await fixture.agent().runOnce();

  assertEquals(server.uploads.map(({ key }) => key), [id]);
  assertMatch(
    fixture.logged.join("\n"),
    /under way when the last agent ended, pending again: 1/,
  );
});

Deno.test("SyncAgent.runOnce() throws the signal's reason and puts back what is under way", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const never = Promise.withResolvers<Response>();
  server.answer = () => never.promise;
  const ids = fixture.enqueue("a", "b");
  const stop = new AbortController();
  const running = fixture.agent().runOnce(stop.signal);
  await eventually("both have begun", () => server.inFlight === 2);

  stop.abort(new Error("enough"));
  await assertRejects(() => running, Error, "enough");
  never.resolve(new Response());

  assertEquals(fixture.queue.getStats().pending, 2);
  assertEquals(fixture.attempts(ids), [0, 0]);
});

Deno.test("SyncAgent.run() delivers what another connection enqueues, until it is stopped", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  using other = new UploadQueue(fixture.queue.path);
  await using running = fixture.running();

  for (const name of ["a", "b"]) {
    other.enqueue(fixture.dir.write(name, name));
    await eventually(`${name} arrives`, () => server.names.includes(name));
  }
  await running.stop();
  assertEquals(fixture.queue.getStats().delivered, 2);
});

Deno.test("SyncAgent.run() lets an upload under way end within its grace when stopped, and begins no other", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  using held = new HeldAnswer();
  server.answer = held.delivery;
  fixture.enqueue("a", "b");
  const stop = new AbortController();
  const running = fixture.agent({ concurrency: 1 })
    .run(stop.signal);
  await eventually("the first has begun", () => server.inFlight === 1);

  stop.abort();
  held.release();
  await running;

  assertEquals(server.names, ["a"]);
  assertEquals(fixture.queue.getStats(), {
    pending: 1,
    uploading: 0,
    failed: 0,
    delivered: 1,
  });
});

Deno.test("SyncAgent.run() puts uploads back uncharged that do not end within their grace", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const never = Promise.withResolvers<Response>();
  server.answer = () => never.promise;
  const ids = fixture.enqueue("a", "b");
  await using running = fixture.running({ graceMs: 50 });
  await eventually("both have begun", () => server.inFlight === 2);

  await running.stop();
  never.resolve(new Response());

  assertEquals(fixture.queue.getStats().pending, 2);
  assertEquals(fixture.attempts(ids), [0, 0]);
  assertEquals(
    fixture.throttle.server.state,
    "unknown",
    "it says nothing of the server",
  );
});

Deno.test("SyncAgent.run() tries everything at once when a sync is asked for, and says when it is done", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () => new Response(null, { status: 409 });
  fixture.enqueue("a");
  await using _running = fixture.running({ snoozeMs: 60_000 });
  await eventually(
    "the first attempt is over",
    () => fixture.queue.nextDueMs() !== null,
  );

  server.answer = created;
  using other = new UploadQueue(fixture.queue.path);
  const number = other.requestSync();
  await eventually(
    "the sync is done",
    () => other.getAgentState().syncCompleted >= number,
  );
  assertEquals(other.getStats().delivered, 1);
});

Deno.test("SyncAgent.run() asks the server at once when somebody asks for it, and leaves alone what is not due", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.ready = false;
  server.answer = () => new Response(null, { status: 503 });
  const throttle = new Throttle({ minWaitMs: 60_000, maxWaitMs: 60_000 });
  const [first, second] = fixture.enqueue("a", "b");
  using other = new UploadQueue(fixture.queue.path);
  other.markFailed(second!, "HTTP 500");
  await using _running = fixture.running({ throttle });
  await eventually(
    "it waits",
    () => throttle.mode === "waiting" && other.get(first!)?.attempts === 0,
  );

  server.ready = true;
  server.answer = created;
  other.requestProbe();
  await eventually("it is sent", () => other.getStats().delivered === 1);
  assertEquals(other.getStats().pending, 1);
});

Deno.test("SyncAgent.run() completes a sync though the server is down", async () => {
  await using fixture = new AgentFixture(deadUrl());
  fixture.enqueue("a");
  await using _running = fixture.running();
  await eventually(
    "the server is known to be down",
    () => fixture.queue.getAgentState().serverState === "down",
  );

  using other = new UploadQueue(fixture.queue.path);
  const number = other.requestSync();
  await eventually(
    "the sync is done",
    () => other.getAgentState().syncCompleted >= number,
  );
  const { pending, uploading, failed } = other.getStats();
  assertEquals([pending + uploading, failed], [1, 0]);
});

Deno.test("SyncAgent.run() refuses to be the second agent of a queue, and says who is the first", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const { promise: locked, resolve } = Promise.withResolvers<void>();
  const stop = new AbortController();
  const first = fixture.agent().run(stop.signal, { onReady: resolve });
  await locked;

  await assertRejects(
    () => fixture.agent().run(stop.signal),
    AgentRunningError,
    `process ${Deno.pid}`,
  );
  stop.abort();
  await first;
  assertEquals(fixture.queue.getAgentState().pid, null);
});

Deno.test("SyncAgent.run() leaves a lock alone that its caller holds for longer", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  using lock = await acquireAgentLock(fixture.queue);
  for (const name of ["before a reload", "after it"]) {
    fixture.enqueue(name);
    await using running = fixture.running({ lock });
    await eventually(`${name} arrives`, () => server.names.includes(name));
    await running.stop();
    await assertRejects(() => fixture.agent().runOnce(), AgentRunningError);
  }
});

Deno.test("SyncAgent.run() ends with the error if the queue cannot be used any more", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  await using running = fixture.running();
  await eventually("it runs", () => fixture.queue.getAgentState().pid !== null);
  using other = openDatabase(fixture.queue.path);
  other.exec("ALTER TABLE captures RENAME TO elsewhere");
  await assertRejects(() => running.ended, DatabaseError, "no such table");
});

Deno.test("SyncAgent.run() goes on whatever the wall clock does", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () =>
    new Response(null, { status: 409, headers: { "retry-after": "3600" } });
  await using running = fixture.running();
  for (const jumpMs of [2 * 3_600_000, -365 * 86_400_000]) {
    const [id] = fixture.enqueue(`${jumpMs}`);
    running.agent.wake();
    await eventually("it was tried", () => fixture.queue.get(id!)?.lastError);
    fixture.aheadMs += jumpMs;
    running.agent.wake();
    await eventually(
      "it is tried again",
      () => server.names.filter((name) => name === `${jumpMs}`).length > 1,
    );
  }
});

/** Holds a queue locked as long as it is not disposed of. */
function locked(path: string): Disposable {
  const other = openDatabase(path);
  other.exec("BEGIN IMMEDIATE");
  return other;
}

Deno.test("SyncAgent.run() waits for a queue that another process holds locked, and says so once", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  let turns = 0;
  fixture.enqueue("before");
  await using running = fixture.running({ onTurn: () => turns++ });
  await eventually("it is delivered", () => server.uploads.length === 1);
  using held = new HeldAnswer();
  server.answer = held.delivery;
  fixture.enqueue("sent", "claimed");
  running.agent.wake();
  await eventually("they are sent", () => server.inFlight === 2);
  fixture.enqueue("waits");
  {
    using _lock = locked(fixture.queue.path);
    // Their outcomes cannot be recorded now, nor others claimed.
    held.release();
    running.agent.hurry();
    const before = turns;
    await eventually("its loop goes on", () => turns > before + 2);
  }
  await eventually(
    "all is delivered",
    () => fixture.queue.getStats().delivered === 4,
  );
  const waits = fixture.logged.filter((line) => line.includes("locked"));
  assertEquals(waits.length, 1, fixture.logged.join("\n"));
  assertEquals(server.uploads.length, 4, "nothing was sent twice");
});

Deno.test("SyncAgent.run() can be stopped while its queue is locked, and says what is not recorded", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  using held = new HeldAnswer();
  server.answer = held.delivery;
  const [id] = fixture.enqueue("a");
  await using running = fixture.running({ graceMs: 50 });
  await eventually("it is sent", () => server.inFlight === 1);
  {
    using _lock = locked(fixture.queue.path);
    held.release();
    await eventually(
      "it waits",
      () => fixture.logged.join().includes("locked"),
    );
    await assertRejects(
      () => running.stop(),
      Error,
      "Cannot record what became of 1 capture",
    );
  }
  // It is sent again with the same key then.
  await fixture.agent().runOnce();
  assertEquals(server.uploads.map(({ key }) => key), [id, id]);
  assertEquals(fixture.queue.getStats().delivered, 1);
});

Deno.test("SyncAgent.runOnce() waits for a queue that is locked when it starts", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  fixture.enqueue("a");
  const lock = locked(fixture.queue.path);
  const report = fixture.agent().runOnce();
  await eventually("it waits", () => fixture.logged.join().includes("locked"));
  lock[Symbol.dispose]();
  assertEquals((await report).delivered, 1);
});
