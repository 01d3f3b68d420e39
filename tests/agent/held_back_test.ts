import { assert, assertEquals } from "@std/assert";
import { AgentFixture } from "../helpers/agent_fixture.ts";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";

const forbidden = () => new Response(null, { status: 403 });

/** The health page of such a server says nothing of captures. */
const HEALTH = [200, 404];

for (const status of HEALTH) {
  Deno.test(`All captures that waited for the server go as soon as one is delivered, where the health page says ${status}`, async () => {
    await using server = new CaptureServer();
    await using fixture = new AgentFixture(server.url);
    server.ready = status === 200;
    server.unreadyStatus = status;
    server.answer = forbidden;
    const names = Array.from({ length: 30 }, (_, n) => `c-${n}`);
    const ids = fixture.enqueue(...names);
    await using running = fixture.running({ snoozeMs: 60_000 });
    await eventually(
      "all wait",
      () => ids.every((id) => fixture.queue.get(id)?.nextAttemptAt),
    );
    server.answer = created;
    fixture.enqueue("new");
    running.agent.wake();
    await eventually(
      "all are delivered",
      () => fixture.queue.getStats().delivered === 31,
    );
  });
}

for (const count of [1, 5]) {
  Deno.test(`Of ${count} captures that wait for the server one is tried each time, as often after a long outage`, async () => {
    await using server = new CaptureServer();
    await using fixture = new AgentFixture(server.url);
    server.answer = forbidden;
    const names = Array.from({ length: count }, (_, n) => `c-${n}`);
    fixture.enqueue(...names);
    await using _running = fixture.running({ snoozeMs: 100 });
    await eventually(
      "each is tried and tried again",
      () => server.names.length >= count + 14,
      4_000,
    );
    const again = server.names.slice(count, count + 14);
    assertEquals(new Set(again), new Set(names));
    server.answer = created;
    await eventually(
      "all are delivered",
      () => fixture.queue.getStats().delivered === count,
    );
  });
}

Deno.test("Captures that wait for the server are tried as often after all were made due at once", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = forbidden;
  fixture.enqueue(...Array.from({ length: 30 }, (_, n) => `c-${n}`));
  await using running = fixture.running({ snoozeMs: 1_000 });
  const { uploads } = server;
  await eventually("all were tried", () => uploads.length >= 30);
  running.agent.hurry();
  await eventually("all were tried again", () => uploads.length >= 60);
  const { length } = uploads;
  await eventually(
    "another one is tried",
    () => uploads.length > length,
    15_000,
  );
});

Deno.test("A capture that fails again whenever the server is usable waits by itself", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = (upload) =>
    upload.filename === "bad" ? forbidden() : created(upload);
  const [bad] = fixture.enqueue("bad");
  await using running = fixture.running({ snoozeMs: 60_000 });
  for (let n = 1; n <= 10; n++) {
    await eventually("it waits", () => fixture.queue.get(bad!)?.nextAttemptAt);
    fixture.enqueue(`good-${n}`);
    running.agent.wake();
    await eventually(
      "the good one is delivered",
      () => fixture.queue.getStats().delivered === n,
    );
  }
  const tried = server.names.filter((name) => name === "bad").length;
  assert(tried <= 2, `it was tried ${tried} times`);
});

Deno.test("A capture with a Retry-After of its own waits for as long, though others were released", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const headers = { "retry-after": "300" };
  server.answer = () => new Response(null, { status: 500, headers });
  const ids = fixture.enqueue("a");
  await using running = fixture.running({ snoozeMs: 60_000 });
  const due = () => fixture.queue.get(ids[0]!)?.nextAttemptAt ?? "";
  await eventually("it waits", due);
  const dueAt = due();
  server.answer = created;
  fixture.enqueue("new");
  running.agent.wake();
  await eventually(
    "the new one is delivered",
    () => fixture.queue.getStats().delivered === 1,
  );
  assertEquals(due(), dueAt);
});

Deno.test("What waited for the server is due for the next agent", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = forbidden;
  const ids = fixture.enqueue("a", "b", "c");
  const running = fixture.running({ snoozeMs: 60_000 });
  const areWaiting = () =>
    ids.every((id) => fixture.queue.get(id)?.nextAttemptAt);
  await eventually("all wait", areWaiting);
  await running.stop();
  assertEquals(fixture.queue.getPending().length, 3);
});

Deno.test("All that waits is due for the agent after one that was killed in an outage", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const [id] = fixture.enqueue("a");
  const { queue } = fixture;
  queue.claim(1);
  queue.complete([
    { id: id!, kind: "snooze", error: "HTTP 403", delayMs: 3_000_000 },
  ]);
  queue.setAgentState({ pid: 1, serverState: "paused" });
  assertEquals((await fixture.agent().runOnce()).delivered, 1);
});

Deno.test("A capture whose file is gone takes no turn of those that wait for the server", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = forbidden;
  const names = Array.from({ length: 10 }, (_, n) => `c-${n}`);
  const ids = fixture.enqueue(...names);
  await using _running = fixture.running({ snoozeMs: 1_000 });
  await eventually(
    "all wait",
    () => ids.every((id) => fixture.queue.get(id)?.nextAttemptAt),
  );
  const last = server.names.at(-1)!;
  for (const name of names.filter((name) => name !== last)) {
    Deno.removeSync(fixture.dir.join(name));
  }
  server.answer = created;
  await eventually(
    "the one that is there is delivered",
    () => fixture.queue.getStats().delivered === 1,
    3_000,
  );
});
