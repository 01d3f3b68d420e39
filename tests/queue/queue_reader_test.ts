import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { UploadQueue } from "../../sync/queue/queue.ts";
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
  "UploadQueue.list() shows every status, oldest first, up to its limit",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const ids = fixture.enqueue("1", "2", "3", "4", "5");
    queue.settle([{ id: ids[1]!, kind: "rejected", error: "HTTP 422" }]);
    queue.markFailed(ids[2]!, "HTTP 500");
    queue.markUploading(ids[3]!);
    const names = (options?: Parameters<UploadQueue["list"]>[0]) =>
      queue.list(options).map(({ filepath }) => filepath.slice(-1)).join("");
    assertEquals(names(), "12345");
    assertEquals(names({ limit: 2 }), "12");
    assertEquals(names({ status: "pending" }), "135");
    assertEquals(names({ status: "uploading" }), "4");
    assertEquals(names({ status: "failed" }), "2");
    assertEquals(names({ status: "pending", limit: 1 }), "1");
  },
);

testOnEachEngine(
  "UploadQueue.oldestPendingMs() sees ready and waiting captures, and no others",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    assertEquals(queue.oldestPendingMs(), null);
    const [failed, waiting, ready] = fixture.enqueue(
      "failed",
      "waiting",
      "ready",
    );
    queue.settle([{ id: failed!, kind: "rejected", error: "HTTP 422" }]);
    assertEquals(queue.oldestPendingMs(), START_MS + 1000);
    queue.markFailed(waiting!, "HTTP 500");
    assertEquals(queue.oldestPendingMs(), START_MS + 1000);
    queue.remove([waiting!]);
    assertEquals(queue.oldestPendingMs(), START_MS + 2000);
    queue.markUploading(ready!);
    assertEquals(queue.oldestPendingMs(), null);
  },
);

testOnEachEngine(
  "UploadQueue.knowsWatched() tells this very file of a watched folder from others",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const file = { metadata: {}, size: 5, mtimeMs: START_MS };
    const add = (filepath: string, watched: boolean) =>
      fixture.queue.enqueueMany([{ ...file, filepath, watched }])[0]!;
    const known = (path: string, size = 5, mtimeMs = START_MS) =>
      fixture.queue.knowsWatched(path, size, mtimeMs);
    add("/watched/waiting", true);
    fixture.queue.markCompleted(add("/watched/sent", true));
    fixture.queue.remove([add("/watched/removed", true)]);
    add("/watched/enqueued", false);
    fixture.restart();
    assertEquals(known("/watched/waiting"), "queued");
    assertEquals(known("/watched/sent"), "delivered");
    assertEquals(known("/watched/removed"), "removed");
    for (const name of ["waiting", "sent", "removed"]) {
      assertEquals(known(`/watched/${name}`, 6), undefined);
      assertEquals(known(`/watched/${name}`, 5, START_MS + 1), undefined);
    }
    assertEquals(known("/watched/enqueued"), undefined);
    assertEquals(known("/watched/new"), undefined);
  },
);

testOnEachEngine(
  "UploadQueue.knownWatched() tells of each of many files, in their order",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const files = Array.from({ length: 60 }, (_, n) => ({
      path: `/watched/${n}`,
      size: n,
      mtimeMs: START_MS,
    }));
    const states = ["queued", "delivered", "removed", undefined] as const;
    for (const [n, { path, size, mtimeMs }] of files.entries()) {
      const state = states[n % 4];
      if (!state) continue;
      const [id] = queue.enqueueMany([
        { filepath: path, metadata: {}, size, mtimeMs, watched: true },
      ]);
      if (state === "delivered") queue.markCompleted(id!);
      if (state === "removed") queue.remove([id!]);
    }
    for (const count of [0, 1, 25, 26, 60]) {
      assertEquals(
        queue.knownWatched(files.slice(0, count)),
        Array.from({ length: count }, (_, n) => states[n % 4]),
      );
    }
    // The same one more than once, and none that is new.
    const [first, second] = files;
    assertEquals(queue.knownWatched([second!, first!, second!]), [
      "delivered",
      "queued",
      "delivered",
    ]);
  },
);

testOnEachEngine(
  "UploadQueue.knowsWatched() goes by what was sent, where that was another file",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const filepath = "/watched/grown";
    const [id] = queue.enqueueMany([
      { filepath, metadata: {}, size: 5, mtimeMs: START_MS, watched: true },
    ]);
    const sent = { size: 6, mtimeMs: START_MS + 1 };
    queue.settle([{ id: id!, kind: "delivered", sent }]);
    assertEquals(queue.knowsWatched(filepath, 5, START_MS), undefined);
    assertEquals(queue.knowsWatched(filepath, 6, START_MS + 1), "delivered");
  },
);

testOnEachEngine(
  "UploadQueue.spooled() goes through all captures in the spool, and no others",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const captures = Array.from({ length: 1201 }, (_, n) => ({
      filepath: `/captures/${n}`,
      metadata: {},
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
      syncRequested: 0,
      syncCompleted: 0,
    };
    assertEquals(fixture.queue.getAgentState(), nothing as never);
    const saying = {
      pid: 123,
      serverUrl: "http://127.0.0.1:8000",
      serverState: "down" as const,
      serverReason: "Connection refused",
      serverSince: START_MS,
    };
    fixture.queue.setAgentState(saying);
    fixture.restart();
    const counts = { syncRequested: 0, syncCompleted: 0 };
    assertEquals(fixture.queue.getAgentState(), { ...saying, ...counts });
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
    const size = Deno.statSync(fixture.path).size;
    using file = Deno.openSync(fixture.path, { write: true });
    file.seekSync(Math.floor(size / 4096 / 2) * 4096, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(4096).fill(0xa5));
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
  "UploadQueue.knowsWatched() goes by what was removed last of several files of one name",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const filepath = "/watched/door.png";
    for (const size of [5, 6]) {
      const file = { filepath, metadata: {}, size, mtimeMs: START_MS };
      queue.remove(queue.enqueueMany([{ ...file, watched: true }]));
    }
    assertEquals(queue.knowsWatched(filepath, 5, START_MS), undefined);
    assertEquals(queue.knowsWatched(filepath, 6, START_MS), "removed");
  },
);
