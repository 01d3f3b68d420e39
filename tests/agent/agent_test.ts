import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { AgentRunningError } from "../../sync/agent/agent_lock.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { AgentFixture } from "../helpers/agent_fixture.ts";
import { CaptureServer, created, deadUrl } from "../helpers/capture_server.ts";
import { CuttingProxy } from "../helpers/cutting_proxy.ts";

Deno.test("SyncAgent.runOnce() delivers everything, oldest first, and keeps it in the ledger", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const ids = fixture.enqueue("a", "b", "c");

  const report = await fixture.agent({ concurrency: 1 }).runOnce();

  assertEquals(report, { delivered: 3, failed: 0, postponed: 0 });
  assertEquals(server.names, ["a", "b", "c"]);
  assertEquals(server.uploads.map(({ key }) => key), ids);
  assertEquals(
    new TextDecoder().decode(server.uploads[1]!.bytes),
    "bytes of b",
  );
  assertEquals(fixture.queue.getStats(), {
    pending: 0,
    uploading: 0,
    failed: 0,
    delivered: 3,
  });
  assert(ids.every((id) => fixture.queue.wasDelivered(id)));
});

Deno.test("SyncAgent.runOnce() adds what the host knows to the metadata; the caller's keys win", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const path = fixture.dir.write("door.png", "12345");
  fixture.queue.enqueue(path, { hostname: "kiosk-7", door: 3 });

  await fixture.agent().runOnce();

  const { timestamp, ...rest } = server.uploads[0]!.metadata;
  assertEquals(rest, {
    hostname: "kiosk-7",
    door: 3,
    filename: "door.png",
    size: 5,
    sha256: "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5",
  });
  assertEquals(timestamp, Deno.statSync(path).mtime!.toISOString());
});

Deno.test("SyncAgent.runOnce() leaves the queue as it is while the server is down", async () => {
  await using fixture = new AgentFixture(deadUrl());
  fixture.enqueue("a", "b", "c");

  const report = await fixture.agent().runOnce();

  assertEquals(report.delivered + report.failed, 0);
  assertEquals(fixture.queue.getPending().map((c) => c.attempts), [0, 0, 0]);
  assertEquals(fixture.breaker.state, "down");
  assertMatch(fixture.queue.getPending()[0]!.lastError ?? "", /Cannot reach/);
});

Deno.test("SyncAgent.runOnce() makes one probe when it is due, and nothing before", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.ready = false;
  server.answer = () => new Response("on fire", { status: 503 });
  fixture.enqueue("a", "b", "c");
  const agent = fixture.agent();
  await agent.runOnce();
  const { probes, uploads: { length } } = server;

  await agent.runOnce();
  assertEquals([server.probes, server.uploads.length], [probes, length]);

  fixture.nowMs += 60_000;
  await agent.runOnce();
  assertEquals([server.probes, server.uploads.length], [probes + 1, length]);

  server.ready = true;
  server.answer = created;
  fixture.nowMs += 60_000;
  assertEquals((await agent.runOnce()).delivered, 3);
});

Deno.test("SyncAgent survives a week without a server: nothing charged, the log quiet, all delivered in order", async () => {
  const url = deadUrl();
  await using fixture = new AgentFixture(url);
  const agent = fixture.agent({ concurrency: 4 });
  const names: string[] = [];
  for (let hour = 0; hour < 7 * 24; hour++) {
    const name = `hour-${String(hour).padStart(3, "0")}`;
    names.push(name);
    fixture.enqueue(name);
    if (hour % 4 === 0) await agent.runOnce();
    fixture.nowMs += 3_600_000;
  }
  const { pending, failed } = fixture.queue.getStats();
  assertEquals([pending, failed], [names.length, 0]);
  assert(fixture.queue.getPending(1000).every((c) => c.attempts === 0));
  const reminders = fixture.logged.filter((line) => line.includes("cannot"));
  assertEquals(
    reminders.length,
    7 * 24 / 4,
    "the first, then one for each probe",
  );

  await using server = new CaptureServer({ port: Number(new URL(url).port) });
  const atOnce: number[] = [];
  server.answer = (upload) => {
    atOnce.push(server.inFlight);
    return created(upload);
  };
  await agent.runOnce();
  assertEquals(server.uploads.length, names.length);
  assertEquals(server.names.slice(0, 3), names.slice(0, 3));
  assertEquals(atOnce[0], 1, "ramps up from one at a time");
  assert(
    fixture.logged.includes(
      "info The server is usable again after 7d, 168 captures wait to be delivered",
    ),
  );
});

Deno.test("SyncAgent charges a capture that gets a 500 from a ready server, and passes the others", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = (upload) =>
    upload.filename === "poison"
      ? new Response("boom", { status: 500 })
      : created(upload);
  const [poison] = fixture.enqueue("poison", "b", "c");

  const report = await fixture.agent().runOnce();

  assertEquals(report, { delivered: 2, failed: 0, postponed: 1 });
  const row = fixture.queue.get(poison!)!;
  assertEquals([row.status, row.attempts, row.lastError], [
    "pending",
    1,
    "HTTP 500: boom",
  ]);
  assertEquals(fixture.queue.getPending(), []);
});

Deno.test("SyncAgent fails a capture at once that the server refuses for good, with its words", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () => new Response("too odd", { status: 422 });
  const [id] = fixture.enqueue("a");

  await fixture.agent().runOnce();

  const row = fixture.queue.get(id!)!;
  assertEquals([row.status, row.lastError], ["failed", "HTTP 422: too odd"]);
  assertEquals(server.uploads.length, 1);
});

Deno.test("SyncAgent pauses on 401, uncharged, tries with another capture, and goes on once let in", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () => new Response(null, { status: 401 });
  fixture.enqueue("a", "b", "c");
  const agent = fixture.agent({ concurrency: 1 });

  await agent.runOnce();
  assertEquals(server.names, ["a"]);
  assertEquals(fixture.queue.getAgentState().serverState, "paused");
  fixture.nowMs += 60_000;
  await agent.runOnce();
  assertEquals(server.names, ["a", "b"]);

  server.answer = created;
  fixture.nowMs += 60_000;
  fixture.queue.makeAllDue();
  assertEquals((await agent.runOnce()).delivered, 3);
  assertEquals(server.uploads.length, 5);
});

Deno.test("SyncAgent lets the others pass a capture whose connection is always reset", async () => {
  await using server = new CaptureServer();
  await using cutter = new CuttingProxy(server.port, "bytes of poison");
  await using fixture = new AgentFixture(cutter.url);
  const [poison] = fixture.enqueue("poison", "b", "c");
  const agent = fixture.agent({ concurrency: 1 });

  await agent.runOnce();
  fixture.nowMs += 60_000;
  await agent.runOnce();

  assertEquals(server.names, ["b", "c"]);
  const row = fixture.queue.get(poison!)!;
  assertEquals([row.status, row.attempts], ["pending", 0]);
  assertEquals(cutter.cuts, 1);
});

Deno.test("SyncAgent leaves the whole destination alone for as long as Retry-After says", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () =>
    new Response(null, { status: 429, headers: { "retry-after": "600" } });
  fixture.enqueue("a", "b");
  const agent = fixture.agent({ concurrency: 1 });
  await agent.runOnce();

  fixture.nowMs += 599_000;
  await agent.runOnce();
  assertEquals(server.names, ["a"]);

  server.answer = created;
  fixture.nowMs += 1_000;
  await agent.runOnce();
  assertEquals(server.names, ["a", "a", "b"]);
  assertEquals(fixture.queue.getStats().delivered, 2);
});

Deno.test("SyncAgent fails a capture whose file is gone, and delivers the others", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const [gone] = fixture.enqueue("gone", "b");
  Deno.removeSync(fixture.dir.join("gone"));

  const report = await fixture.agent().runOnce();

  assertEquals(report, { delivered: 1, failed: 1, postponed: 0 });
  const { lastError } = fixture.queue.get(gone!)!;
  assertMatch(lastError ?? "", /gone": the file is gone/);
});

Deno.test("SyncAgent fails a capture whose metadata another program spoilt, and delivers the others", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const [spoilt] = fixture.enqueue("a", "b");
  using database = openDatabase(fixture.queue.path);
  database.exec(
    `UPDATE captures SET metadata_json = '{' WHERE id = '${spoilt}'`,
  );

  assertEquals(await fixture.agent().runOnce(), {
    delivered: 1,
    failed: 1,
    postponed: 0,
  });
  assertMatch(
    fixture.queue.get(spoilt!)!.lastError ?? "",
    /Cannot read the metadata/,
  );
});

Deno.test("SyncAgent refuses a changed file if told so, and else sends it as it is now", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const path = fixture.dir.write("a", "before");
  const { size, mtime } = Deno.statSync(path);
  const file = { size, mtimeMs: mtime!.getTime() };
  const id = fixture.queue.enqueue(path, {}, file);
  Deno.writeTextFileSync(path, "afterwards");

  await fixture.agent({ refuseChanged: true }).runOnce();
  assertEquals(server.uploads.length, 0);
  assertMatch(fixture.queue.get(id)!.lastError ?? "", /was changed after/);

  fixture.queue.retry([id]);
  await fixture.agent().runOnce();
  assertEquals(
    new TextDecoder().decode(server.uploads[0]!.bytes),
    "afterwards",
  );
});

Deno.test("SyncAgent delivers what a crashed agent left uploading, uncharged and under the same key", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const [id] = fixture.enqueue("a");
  fixture.queue.claim(1);
  assertEquals(fixture.queue.getStats().uploading, 1);

  await fixture.agent().runOnce();

  assertEquals(server.uploads.map(({ key }) => key), [id]);
  assertMatch(fixture.logged.join("\n"), /1 captures were under way/);
});

Deno.test("SyncAgent sends no more than so many at a time, and a slow one holds up no other", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const othersDone = Promise.withResolvers<void>();
  const threeAtATime = Promise.withResolvers<void>();
  server.answer = async (upload) => {
    if (server.inFlight === 3) threeAtATime.resolve();
    await threeAtATime.promise;
    if (upload.filename === "slow") await othersDone.promise;
    else if (server.uploads.length === 20) othersDone.resolve();
    return created(upload);
  };
  fixture.enqueue("slow", ...Array.from({ length: 19 }, (_, i) => `c${i}`));

  const report = await fixture.agent({ concurrency: 3 }).runOnce();

  assertEquals(report.delivered, 20);
  assertEquals(server.mostInFlight, 3);
});

Deno.test("SyncAgent tidies up only behind a delivery that is committed", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  fixture.enqueue("a", "b");
  const committed: boolean[] = [];
  const onDelivered = ({ id }: { id: string }) => {
    committed.push(fixture.queue.wasDelivered(id));
    throw new Error("cannot unlink");
  };

  await fixture.agent({ onDelivered }).runOnce();

  assertEquals(committed, [true, true]);
  assertEquals(fixture.queue.getStats().delivered, 2);
  assertMatch(fixture.logged.join("\n"), /Cannot tidy up .*cannot unlink/);
});

Deno.test("SyncAgent.run() refuses to be the second agent of a queue, and says who is the first", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const stop = new AbortController();
  const { promise: locked, resolve } = Promise.withResolvers<void>();
  const first = fixture.agent().run(stop.signal, { onReady: resolve });
  await locked;

  const error = await assertRejects(
    () => fixture.agent().run(stop.signal),
    AgentRunningError,
    `process ${Deno.pid}`,
  );
  assertEquals(error.pid, Deno.pid);
  stop.abort();
  await first;
  assertEquals(fixture.queue.getAgentState().pid, null);
});
