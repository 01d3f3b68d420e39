import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { CaptureStatus } from "../../sync/queue/queue.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { QueueFixture, START_MS } from "../helpers/queue_fixture.ts";

testOnEachEngine(
  "UploadQueue.nextDueMs() tells the next retry, and null where none waits",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    assertEquals(queue.nextDueMs(), null);
    const [first, second] = fixture.enqueue("1", "2");
    assertEquals(queue.nextDueMs(), null);
    queue.markFailed(first!, "HTTP 500");
    fixture.wait(10);
    queue.markFailed(second!, "HTTP 500");
    assertEquals(queue.nextDueMs(), 50_000);
    fixture.wait(55);
    assertEquals(queue.nextDueMs(), 0);
  },
);

testOnEachEngine(
  "UploadQueue.captures() shows every status, oldest first",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const ids = fixture.enqueue("1", "2", "3", "4", "5");
    queue.complete([{ id: ids[1]!, kind: "discard", error: "HTTP 422" }]);
    queue.markFailed(ids[2]!, "HTTP 500");
    queue.markUploading(ids[3]!);
    const names = (status?: CaptureStatus) =>
      queue.captures({ status }).toArray()
        .map(({ filepath }) => filepath.slice(-1)).join("");
    assertEquals(names(), "12345");
    assertEquals(names("pending"), "135");
    assertEquals(names("uploading"), "4");
    assertEquals(names("failed"), "2");
  },
);

testOnEachEngine(
  "UploadQueue.oldestPendingMs() sees what is ready, waits or is being sent, and nothing else",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    assertEquals(queue.oldestPendingMs(), null);
    const [failed, waiting, ready] = fixture.enqueue(
      "failed",
      "waiting",
      "ready",
    );
    queue.complete([{ id: failed!, kind: "discard", error: "HTTP 422" }]);
    assertEquals(queue.oldestPendingMs(), START_MS + 1000);
    queue.markFailed(waiting!, "HTTP 500");
    assertEquals(queue.oldestPendingMs(), START_MS + 1000);
    queue.remove([waiting!]);
    assertEquals(queue.oldestPendingMs(), START_MS + 2000);
    queue.markUploading(ready!);
    assertEquals(queue.oldestPendingMs(), START_MS + 2000);
    queue.markCompleted(ready!);
    assertEquals(queue.oldestPendingMs(), null);
  },
);

testOnEachEngine(
  "UploadQueue.spooled() goes through all captures in the spool, and no others",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const captures = Array.from({ length: 1201 }, (_, n) => ({
      filepath: `/captures/${n}`,
      metadataJson: "{}",
      spooled: n % 3 > 0,
    }));
    queue.enqueueMany(captures);
    const seen: string[] = [];
    for (const some of queue.spooled()) {
      assert(some.length <= 500);
      // What is delivered meanwhile does not disturb it.
      queue.markCompleted(some[0]!.id);
      seen.push(...some.map(({ filepath }) => filepath));
    }
    const expected = captures.filter(({ spooled }) => spooled);
    assertEquals(seen, expected.map(({ filepath }) => filepath));
  },
);

testOnEachEngine(
  "the agent's state stays until it says something else, across restarts",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const nothing = {
      pid: null,
      serverUrl: null,
      serverState: "unknown",
      serverReason: null,
      serverSince: null,
      nextProbeAt: null,
      folders: "[]",
      problem: null,
      schedule: null,
      bandwidth: null,
      syncRequested: 0,
      syncCompleted: 0,
      probesRequested: 0,
    };
    assertEquals(fixture.queue.getAgentState(), nothing as never);
    const saying = {
      pid: 123,
      serverUrl: "http://127.0.0.1:8000",
      serverState: "down" as const,
      serverReason: "Connection refused",
      serverSince: START_MS,
      nextProbeAt: START_MS + 1,
    };
    fixture.queue.setAgentState(saying);
    const times = { schedule: "22:00-06:00", bandwidth: "2M" };
    fixture.queue.setAgentState(times);
    fixture.restart();
    assertEquals(
      fixture.queue.getAgentState(),
      { ...nothing, ...saying, ...times },
    );
  },
);

testOnEachEngine(
  "a sync is asked for by number, and done up to a number",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    using other = fixture.open();
    assertEquals(fixture.queue.requestSync(), 1);
    assertEquals(other.requestSync(), 2);
    fixture.queue.completeSync(1);
    const { syncRequested, syncCompleted } = other.getAgentState();
    assertEquals({ syncRequested, syncCompleted }, {
      syncRequested: 2,
      syncCompleted: 1,
    });
  },
);

testOnEachEngine(
  "UploadQueue.dataVersion() changes with what others do, not with what it does itself",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    using other = fixture.open();
    const before = fixture.queue.dataVersion();
    fixture.enqueue("own");
    assertEquals(fixture.queue.dataVersion(), before);
    other.enqueue("/captures/others");
    assert(fixture.queue.dataVersion() !== before);
  },
);

testOnEachEngine(
  "UploadQueue.findDamage() sees a page that was overwritten",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    for (let n = 0; n < 200; n++) fixture.enqueue(`capture ${n}`);
    assertEquals(fixture.queue.findDamage(), null);
    fixture.queue.close();
    const bytes = Deno.readFileSync(fixture.path);
    const text = new TextDecoder("latin1").decode(bytes);
    const page = Math.floor(text.indexOf("/captures/capture 100") / 4096);
    bytes.fill(0xa5, page * 4096, (page + 1) * 4096);
    Deno.writeFileSync(fixture.path, bytes);
    fixture.queue = fixture.open();
    assertStringIncludes(fixture.queue.findDamage() ?? "", "damaged");
  },
);

testOnEachEngine("UploadQueue.engine names what is in use", async (engine) => {
  await using fixture = new QueueFixture(engine);
  const { name, sqlite } = fixture.queue.engine;
  assertEquals(name, engine);
  assert(/^3\.\d+\.\d+$/.test(sqlite), sqlite);
});

testOnEachEngine("UploadQueue.close() may be called twice", async (engine) => {
  await using fixture = new QueueFixture(engine);
  fixture.queue.close();
  fixture.queue.close();
});

testOnEachEngine(
  "UploadQueue.captures() and deliveries() go through all in order, across pages and equal times",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const ids = queue.enqueueMany(
      Array.from({ length: 1300 }, (_, n) => ({
        filepath: `/captures/${n}`,
        metadataJson: "{}",
        createdAtMs: START_MS + Math.floor(n / 700),
      })),
    );
    queue.complete(
      ids.map((id, at) =>
        at % 3 === 0
          ? { id, kind: "discard" as const, error: "no" }
          : { id, kind: "release" as const }
      ),
    );
    assertEquals([...queue.captures()].map(({ id }) => id), ids);
    assertEquals(
      [...queue.captures({ sinceMs: START_MS + 0.5, status: "failed" })]
        .map(({ id }) => id),
      ids.filter((_, at) => at >= 700 && at % 3 === 0),
    );
    queue.complete(ids.map((id) => ({ id, kind: "delivered" })));
    assertEquals(
      [...queue.deliveries()].map(({ id }) => id),
      ids.toReversed(),
    );
    assertEquals([...queue.deliveries(fixture.nowMs + 1)], []);
  },
);
