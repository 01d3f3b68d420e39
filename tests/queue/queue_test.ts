import { assert, assertEquals, assertThrows } from "@std/assert";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { QueueFixture, START_MS } from "../helpers/queue_fixture.ts";

const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;
const YEAR_S = 365 * DAY_S;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

testOnEachEngine(
  "UploadQueue.enqueue() keeps a capture with all that is known of it",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const id = queue.enqueue("/captures/Tür \u{1F6AA}.png", { door: 3 }, {
      size: 12_345_678_901,
      mtimeMs: START_MS - 1,
      spooled: true,
      watched: true,
    });
    assert(UUID.test(id), id);
    assertEquals(queue.getPending(), [{
      id,
      filepath: "/captures/Tür \u{1F6AA}.png",
      metadataJson: '{"door":3}',
      createdAt: "2026-03-01T12:00:00.000Z",
      attempts: 0,
      lastAttempt: null,
      status: "pending",
      nextAttemptAt: null,
      lastError: null,
      size: 12_345_678_901,
      mtimeMs: START_MS - 1,
      spooled: true,
      watched: true,
    }]);
    assertEquals(queue.get(id), queue.getPending()[0]);
    assertEquals(queue.get("another"), undefined);
  },
);

testOnEachEngine(
  "UploadQueue.enqueue() refuses metadata that is no JSON object, and queues nothing",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const bad = [["a list"], "text", null] as unknown as Record<
      string,
      unknown
    >[];
    for (const metadata of bad) {
      const good = { filepath: "/captures/good", metadata: {} };
      assertThrows(
        () =>
          queue.enqueueMany([good, { filepath: "/captures/bad", metadata }]),
        TypeError,
      );
    }
    assertThrows(
      () => queue.enqueue("/captures/bad", { text: "x".repeat(1024 * 1024) }),
      RangeError,
    );
    assertEquals(queue.getStats().pending, 0);
  },
);

testOnEachEngine(
  "UploadQueue.enqueueMany() leaves what is queued or delivered as it is",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [queued, delivered] = fixture.enqueue("queued", "delivered");
    queue.markCompleted(delivered!);
    const ids = queue.enqueueMany([queued!, delivered!, "new"].map((id) => ({
      id,
      filepath: "/captures/again",
      metadata: {},
    })));
    assertEquals(ids, [queued, delivered, "new"]);
    assertEquals(fixture.pending(), ["queued", "again"]);
    assertEquals(queue.getStats().delivered, 1);
  },
);

testOnEachEngine(
  "UploadQueue.getPending() returns the oldest first, ten by default",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const names = Array.from({ length: 12 }, (_, n) => `capture ${n}`);
    // The order is that of the times, not that of the rows.
    for (const [n, name] of [...names.entries()].reverse()) {
      fixture.queue.enqueue(`/captures/${name}`, {}, { createdAtMs: n });
    }
    assertEquals(fixture.pending(), names.slice(0, 10));
    assertEquals(fixture.pending(3), names.slice(0, 3));
    assertEquals(fixture.pending(0), []);
    assertEquals(fixture.pending(100), names);
  },
);

testOnEachEngine(
  "UploadQueue.getPending() keeps the order of captures that came at once",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const names = Array.from({ length: 30 }, (_, n) => `capture ${n}`);
    fixture.queue.enqueueMany(names.map((name) => ({
      filepath: `/captures/${name}`,
      metadata: {},
    })));
    assertEquals(fixture.pending(100), names);
  },
);

testOnEachEngine(
  "UploadQueue.getPending() refuses a limit that is no whole number from 0",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    for (const limit of [-1, 1.5, NaN, Infinity]) {
      assertThrows(() => queue.getPending(limit), RangeError, String(limit));
      assertThrows(() => queue.list({ limit }), RangeError, String(limit));
    }
  },
);

testOnEachEngine(
  "UploadQueue.getPending() skips a capture tried 59 s ago",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const [id] = fixture.enqueue("tried");
    fixture.queue.markUploading(id!);
    fixture.queue.markFailed(id!, "HTTP 500");
    fixture.wait(59);
    assertEquals(fixture.pending(), []);
    fixture.wait(1);
    assertEquals(fixture.pending(), ["tried"]);
  },
);

testOnEachEngine(
  "UploadQueue.getPending() puts a retried capture before younger ones",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const [oldest, , third] = fixture.enqueue("1", "2", "3", "4");
    for (const id of [third!, oldest!]) {
      fixture.queue.markFailed(id, "HTTP 500");
    }
    assertEquals(fixture.pending(), ["2", "4"]);
    fixture.wait(60);
    assertEquals(fixture.pending(), ["1", "2", "3", "4"]);
  },
);

testOnEachEngine(
  "UploadQueue.markFailed() doubles the wait up to an hour, and gives up with the tenth",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [id] = fixture.enqueue("stubborn");
    const waits = [];
    for (let attempt = 1; attempt < 10; attempt++) {
      assert(queue.markUploading(id!));
      assert(queue.markFailed(id!, `HTTP 500 number ${attempt}`));
      const { status, attempts, nextAttemptAt, lastError } = queue.get(id!)!;
      assertEquals({ status, attempts }, {
        status: "pending",
        attempts: attempt,
      });
      assertEquals(lastError, `HTTP 500 number ${attempt}`);
      waits.push((Date.parse(nextAttemptAt!) - fixture.nowMs) / 1000);
      assertEquals(queue.nextDueMs(), waits.at(-1)! * 1000);
      fixture.wait(waits.at(-1)!);
      assertEquals(fixture.pending(), ["stubborn"]);
    }
    assertEquals(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
    queue.markUploading(id!);
    assert(queue.markFailed(id!, "HTTP 500 at last"));
    const { status, attempts, nextAttemptAt } = queue.get(id!)!;
    assertEquals({ status, attempts, nextAttemptAt }, {
      status: "failed",
      attempts: 10,
      nextAttemptAt: null,
    });
    assert(!queue.markFailed(id!, "once more"));
    assertEquals(queue.get(id!)?.lastError, "HTTP 500 at last");
    fixture.wait(YEAR_S);
    assertEquals(fixture.pending(), []);
  },
);

testOnEachEngine(
  "UploadQueue.claim() marks what it returns, and nobody gets it twice",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    using other = fixture.open();
    fixture.enqueue("1", "2", "3");
    assertEquals(fixture.queue.claim(2).map(({ filepath }) => filepath), [
      "/captures/1",
      "/captures/2",
    ]);
    assertEquals(other.claim(10).map(({ filepath }) => filepath), [
      "/captures/3",
    ]);
    assertEquals(other.claim(10), []);
    assertEquals(fixture.queue.getStats().uploading, 3);
    const [first] = fixture.queue.list({ status: "uploading" });
    assertEquals(first?.lastAttempt, "2026-03-01T12:00:03.000Z");
  },
);

testOnEachEngine(
  "UploadQueue.markUploading() takes only what is pending",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [id] = fixture.enqueue("one");
    assert(queue.markUploading(id!));
    assert(!queue.markUploading(id!));
    assert(!queue.markUploading("unknown"));
    assertEquals(queue.get(id!)?.status, "uploading");
    assertEquals(fixture.pending(), []);
  },
);

testOnEachEngine(
  "UploadQueue.markCompleted() moves a capture to the ledger, once",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [id] = fixture.enqueue("done");
    assert(!queue.wasDelivered(id!));
    assert(queue.markCompleted(id!, { captureId: "server-7" }));
    assert(!queue.markCompleted(id!));
    assert(!queue.markCompleted("unknown"));
    assert(queue.wasDelivered(id!));
    assertEquals(queue.get(id!), undefined);
    assertEquals(queue.getStats(), {
      pending: 0,
      uploading: 0,
      failed: 0,
      delivered: 1,
    });
    const [row] = fixture.query("SELECT * FROM delivered");
    assertEquals({ ...row }, {
      id: id!,
      filepath: "/captures/done",
      size: null,
      mtime_ms: null,
      server_id: "server-7",
      delivered_at: fixture.nowMs,
      watched: 0,
    });
  },
);

testOnEachEngine(
  "UploadQueue.settle() records every kind of outcome at once",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const ids = fixture.enqueue("sent", "charged", "rejected", "back", "later");
    const [sent, charged, rejected, back, later] = ids as [
      string,
      string,
      string,
      string,
      string,
    ];
    queue.claim(5);
    const found = queue.settle([
      { id: sent, kind: "delivered", captureId: "7" },
      { id: charged, kind: "charged", error: "HTTP 500" },
      { id: rejected, kind: "rejected", error: "HTTP 422" },
      { id: back, kind: "released", error: "refused" },
      { id: later, kind: "deferred", error: "HTTP 403", delayMs: 90_000 },
      { id: "removed meanwhile", kind: "delivered" },
    ]);
    assertEquals(found, 5);
    const states = queue.list().map(({ id, status, attempts, lastError }) => [
      ids.indexOf(id),
      status,
      attempts,
      lastError,
    ]);
    assertEquals(states, [
      [1, "pending", 1, "HTTP 500"],
      [2, "failed", 1, "HTTP 422"],
      [3, "pending", 0, "refused"],
      [4, "pending", 0, "HTTP 403"],
    ]);
    assert(queue.wasDelivered(sent));
    assert(!queue.wasDelivered("removed meanwhile"));
    assertEquals(fixture.pending(), ["back"]);
    fixture.wait(90);
    assertEquals(fixture.pending(), ["charged", "back", "later"]);
  },
);

testOnEachEngine(
  "UploadQueue.settle() defers by an hour at most",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const [id] = fixture.enqueue("later");
    fixture.queue.markUploading(id!);
    const delayMs = 1e12;
    fixture.queue.settle([{ id: id!, kind: "deferred", error: "", delayMs }]);
    assertEquals(fixture.queue.nextDueMs(), HOUR_S * 1000);
    fixture.wait(HOUR_S - 1);
    assertEquals(fixture.pending(), []);
    fixture.wait(1);
    assertEquals(fixture.pending(), ["later"]);
  },
);

testOnEachEngine(
  "UploadQueue.settle() releases only what is under way",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [failed, waiting] = fixture.enqueue("failed", "waiting");
    queue.settle([{ id: failed!, kind: "rejected", error: "HTTP 422" }]);
    queue.markFailed(waiting!, "HTTP 500");
    const releases = [failed!, waiting!].map((id) => ({
      id,
      kind: "released" as const,
    }));
    assertEquals(queue.settle(releases), 0);
    assertEquals(fixture.pending(), []);
  },
);

testOnEachEngine(
  "UploadQueue.recover() makes what a crash left under way pending, uncharged",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    fixture.enqueue("1", "2", "3");
    fixture.queue.claim(2);
    fixture.restart();
    assertEquals(fixture.pending(), ["3"]);
    assertEquals(fixture.queue.recover(), 2);
    assertEquals(fixture.pending(), ["1", "2", "3"]);
    assertEquals(fixture.queue.getPending().map(({ attempts }) => attempts), [
      0,
      0,
      0,
    ]);
    assertEquals(fixture.queue.recover(), 0);
  },
);

testOnEachEngine(
  "a wall clock that jumps a year forward charges and stalls nothing",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [waiting, , busy] = fixture.enqueue("waiting", "fresh", "busy");
    queue.markFailed(waiting!, "HTTP 500");
    queue.markUploading(busy!);
    fixture.wait(YEAR_S);
    assertEquals(fixture.pending(), ["waiting", "fresh"]);
    assertEquals(queue.recover(), 1);
    assertEquals(queue.list().map(({ attempts }) => attempts), [1, 0, 0]);
    assertEquals(queue.getStats().failed, 0);
  },
);

testOnEachEngine(
  "a wall clock that jumps a year back stalls nothing",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [waiting, deferred] = fixture.enqueue("waiting", "deferred", "fresh");
    queue.markFailed(waiting!, "HTTP 500");
    queue.markUploading(deferred!);
    const delayMs = 600_000;
    queue.settle([{ id: deferred!, kind: "deferred", error: "", delayMs }]);
    fixture.wait(-YEAR_S);
    assert(queue.nextDueMs()! <= HOUR_S * 1000);
    assertEquals(fixture.pending(), ["waiting", "deferred", "fresh"]);
    assertEquals(queue.get(waiting!)?.attempts, 1);
    queue.markFailed(waiting!, "HTTP 500");
    assertEquals(queue.nextDueMs(), 120_000);
    fixture.wait(120);
    assertEquals(fixture.pending(), ["waiting", "deferred", "fresh"]);
  },
);

testOnEachEngine(
  "UploadQueue.retry() makes captures due with nothing charged, and names them",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const ids = fixture.enqueue("failed", "waiting", "fresh", "busy");
    const [failed, waiting, fresh, busy] = ids as [
      string,
      string,
      string,
      string,
    ];
    const reset = () => {
      queue.settle([{ id: failed, kind: "rejected", error: "HTTP 422" }]);
      queue.markFailed(waiting, "HTTP 500");
    };
    queue.markUploading(busy);
    reset();
    assertEquals(queue.retry([waiting, "unknown", busy]), [waiting]);
    assertEquals(fixture.pending(), ["waiting", "fresh"]);
    reset();
    assertEquals(queue.retry("failed"), [failed]);
    assertEquals(fixture.pending(), ["failed", "fresh"]);
    reset();
    assertEquals(queue.retry("all").sort(), [failed, waiting, fresh].sort());
    assertEquals(fixture.pending(), ["failed", "waiting", "fresh"]);
    assertEquals(queue.get(failed), {
      ...queue.get(failed)!,
      attempts: 0,
      lastError: null,
      status: "pending",
    });
    assertEquals(queue.get(busy)?.status, "uploading");
    assertEquals(queue.retry("failed"), []);
  },
);

testOnEachEngine(
  "UploadQueue.makeAllDue() leaves what was charged",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const ids = fixture.enqueue("1", "2");
    for (const id of ids) fixture.queue.markFailed(id, "HTTP 500");
    fixture.queue.makeAllDue();
    assertEquals(fixture.queue.getPending().map(({ attempts }) => attempts), [
      1,
      1,
    ]);
  },
);

testOnEachEngine(
  "UploadQueue.remove() removes captures of any status, and names those it found",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [failed, busy, fresh] = fixture.enqueue("failed", "busy", "fresh");
    queue.settle([{ id: failed!, kind: "rejected", error: "HTTP 422" }]);
    queue.markUploading(busy!);
    assertEquals(queue.remove([failed!, "unknown", busy!]), [failed, busy]);
    assertEquals(queue.list().map(({ id }) => id), [fresh]);
    assertEquals(queue.getStats().delivered, 0);
  },
);

testOnEachEngine(
  "UploadQueue.cleanupOld() removes only what failed, by its last attempt",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [old, , recent] = fixture.enqueue("old", "pending", "recent");
    const fail = (id: string) => {
      queue.markUploading(id);
      queue.settle([{ id, kind: "rejected", error: "HTTP 422" }]);
    };
    fail(old!);
    const failedAt = fixture.nowMs;
    fixture.wait(5 * DAY_S);
    // As old as the others, but it was tried again just now.
    fail(recent!);
    fixture.nowMs = failedAt + 7 * DAY_S * 1000;
    assertEquals(queue.cleanupOld(), []);
    fixture.wait(1);
    assertEquals(queue.oldFailed(7), [old]);
    assertEquals(queue.cleanupOld(), [old]);
    assertEquals(queue.list().map(({ id }) => id).length, 2);
    fixture.wait(YEAR_S);
    assertEquals(queue.cleanupOld(0), [recent]);
    assertEquals(queue.getStats(), {
      pending: 1,
      uploading: 0,
      failed: 0,
      delivered: 0,
    });
    for (const days of [-1, NaN]) {
      assertThrows(() => queue.cleanupOld(days), RangeError, String(days));
    }
  },
);

testOnEachEngine(
  "UploadQueue.cleanupOld() counts from now for what was never marked as tried",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const [id] = fixture.enqueue("gone");
    fixture.queue.markFailed(id!, "HTTP 500");
    fixture.wait(30 * DAY_S);
    fixture.queue.settle([{
      id: id!,
      kind: "rejected",
      error: "no such file",
    }]);
    assertEquals(fixture.queue.cleanupOld(), []);
    fixture.wait(8 * DAY_S);
    assertEquals(fixture.queue.cleanupOld(), [id]);
  },
);

testOnEachEngine(
  "UploadQueue counts right and keeps the order, however many captures are taken in, claimed and settled at once",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    for (const n of [1, 24, 25, 26, 110]) {
      const ids = queue.enqueueMany(Array.from({ length: n }, (_, i) => ({
        filepath: `/captures/${n}/${i}`,
        metadata: { i },
        size: 2,
        spooled: true,
      })));
      const before = queue.getStats();
      assertEquals([before.pending, queue.spooledBytes()], [n, 2 * n]);
      const claimed = queue.claim(n + 1);
      assertEquals(claimed.map(({ id }) => id), ids);
      assertEquals(
        claimed.map(({ filepath }) => filepath),
        ids.map((_, i) => `/captures/${n}/${i}`),
      );
      assertEquals(queue.getStats(), { ...before, pending: 0, uploading: n });
      const found = queue.settle([
        ...ids.map((id) => ({ id, kind: "delivered" as const })),
        { id: "unknown", kind: "delivered" },
        // Once more, as nobody should.
        { id: ids[0]!, kind: "delivered" },
      ]);
      assertEquals(found, n);
      const delivered = before.delivered + n;
      assertEquals(queue.getStats(), { ...before, pending: 0, delivered });
      assertEquals(queue.spooledBytes(), 0);
      assert(ids.every((id) => queue.wasDelivered(id)));
    }
  },
);

testOnEachEngine(
  "UploadQueue.settle() keeps to the order, what was sent, and what the server called it",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const ids = queue.enqueueMany(Array.from({ length: 4 }, (_, i) => ({
      filepath: `/captures/${i}`,
      metadata: {},
      size: 5,
      mtimeMs: START_MS,
      watched: true,
    })));
    const [first, second, third] = queue.claim(3).map(({ id }) => id);
    const found = queue.settle([
      { id: first!, kind: "delivered", captureId: "a" },
      { id: second!, kind: "rejected", error: "HTTP 422" },
      { id: second!, kind: "delivered", sent: { size: 6, mtimeMs: 7 } },
      { id: third!, kind: "delivered", captureId: "b" },
      { id: third!, kind: "rejected", error: "HTTP 422" },
      { id: ids[3]!, kind: "delivered" },
    ]);
    assertEquals(found, 5);
    const none = { pending: 0, uploading: 0, failed: 0 };
    assertEquals(queue.getStats(), { ...none, delivered: 4 });
    const known = [0, 1, 2, 3].map((i) =>
      queue.knowsWatched(`/captures/${i}`, 5, START_MS)
    );
    assertEquals(known, ["delivered", undefined, "delivered", "delivered"]);
    assertEquals(queue.knowsWatched("/captures/1", 6, 7), "delivered");
    using database = openDatabase(fixture.path, { engine });
    const ledger = database.prepare(
      "SELECT server_id FROM delivered ORDER BY filepath",
    ).all().map(({ server_id }) => server_id);
    assertEquals(ledger, ["a", null, "b", null]);
  },
);

testOnEachEngine(
  "UploadQueue.remove() counts what it removes, whatever its status",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const ids = queue.enqueueMany(Array.from({ length: 9 }, (_, i) => ({
      filepath: `/captures/${i}`,
      metadata: {},
      size: 10,
      spooled: i % 2 === 0,
    })));
    queue.claim(6);
    queue.settle(
      ids.slice(0, 3).map((id) => ({
        id,
        kind: "rejected",
        error: "HTTP 422",
      })),
    );
    const counts = { pending: 3, uploading: 3, failed: 3, delivered: 0 };
    assertEquals(queue.getStats(), counts);
    const removed = [ids[0]!, ids[3]!, ids[8]!];
    assertEquals(queue.remove([...removed, "unknown"]), removed);
    const left = { pending: 2, uploading: 2, failed: 2, delivered: 0 };
    assertEquals(queue.getStats(), left);
    assertEquals(queue.spooledBytes(), 30);
  },
);
