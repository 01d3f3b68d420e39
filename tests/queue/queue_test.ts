import { assert, assertEquals, assertThrows } from "@std/assert";
import { testOnEachEngine } from "../helpers/engines.ts";
import { QueueFixture, START_MS } from "../helpers/queue_fixture.ts";

const DAY_S = 24 * 3600;
const YEAR_S = 365 * DAY_S;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const IDENTITY = {
  fileId: "801:2c",
  size: 12_345_678_901,
  mtimeMs: START_MS - 1,
  ctimeMs: START_MS,
};
const SHA256 = "5a".repeat(32);

testOnEachEngine(
  "UploadQueue.enqueue() keeps a capture with all that is known of it",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const id = queue.enqueue("/captures/Tür \u{1F6AA}.png", { door: 3 }, {
      identity: IDENTITY,
      sha256: SHA256,
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
      snoozes: 0,
      size: 12_345_678_901,
      mtimeMs: START_MS - 1,
      identity: IDENTITY,
      sha256: SHA256,
      hostname: Deno.hostname(),
      firstPath: null,
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
    for (const metadata of [["a list"], "text", null] as never[]) {
      assertThrows(() => queue.enqueue("/captures/bad", metadata), TypeError);
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
      metadataJson: "{}",
    })));
    assertEquals(ids, [queued, delivered, "new"]);
    assertEquals(fixture.pending(), ["queued", "again"]);
    assertEquals(queue.getStats().delivered, 1);
  },
);

testOnEachEngine(
  "UploadQueue.enqueueMany() keeps what became of an attempt before, but for what is queued already",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [queued] = fixture.enqueue("queued");
    queue.markUploading(queued!);
    const attempt = { startedMs: 1_000.5, elapsedMs: 5.25, status: 429 };
    queue.enqueueMany([queued!, "new"].map((id) => ({
      id,
      filepath: "/captures/again",
      metadataJson: "{}",
      tried: {
        id,
        kind: "snooze",
        error: "busy",
        delayMs: 90_000,
        attempt: { ...attempt, error: "busy" },
      },
    })));
    const one = queue.get("new")!;
    assertEquals([one.status, one.lastError], ["pending", "busy"]);
    assertEquals(queue.attempts("new").map(({ status }) => status), [429]);
    assert(queue.nextDueMs()! > 60_000);
    assertEquals(queue.get(queued!)?.status, "uploading");
    assertEquals(queue.attempts(queued!), []);
  },
);

testOnEachEngine(
  "UploadQueue.enqueueMany() carries metadata to the letter",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const metadataJson =
      '{ "ns": 1732647310123456789, "big": 1e400,\t"a": "\\u00e4" }';
    const [id] = queue.enqueueMany([{ filepath: "/captures/x", metadataJson }]);
    assertEquals(queue.get(id!)?.metadataJson, metadataJson);
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
      metadataJson: "{}",
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
      assertThrows(() => queue.claim(limit), RangeError, String(limit));
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
      sha256: null,
      server_id: "server-7",
      delivered_at: fixture.nowMs,
      attempts_made: 1,
      elapsed_ms: null,
      http_status: null,
    });
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
      queue.complete([{ id: failed, kind: "discard", error: "HTTP 422" }]);
      queue.markFailed(waiting, "HTTP 500");
    };
    queue.markUploading(busy);
    reset();
    assertEquals(queue.retry([waiting, "unknown", busy]), [waiting]);
    assertEquals(fixture.pending(), ["waiting", "fresh"]);
    reset();
    assertEquals(queue.retry([failed]), [failed]);
    assertEquals(fixture.pending(), ["failed", "fresh"]);
    reset();
    assertEquals(queue.retry(ids), [failed, waiting, fresh]);
    assertEquals(fixture.pending(), ["failed", "waiting", "fresh"]);
    assertEquals(queue.get(failed), {
      ...queue.get(failed)!,
      attempts: 0,
      lastError: null,
      status: "pending",
    });
    assertEquals(queue.get(busy)?.status, "uploading");
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
    queue.complete([{ id: failed!, kind: "discard", error: "HTTP 422" }]);
    queue.markUploading(busy!);
    assertEquals(queue.remove([failed!, "unknown", busy!]), [failed, busy]);
    assertEquals(queue.captures().toArray().map(({ id }) => id), [fresh]);
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
      queue.complete([{ id, kind: "discard", error: "HTTP 422" }]);
    };
    fail(old!);
    const failedAt = fixture.nowMs;
    fixture.wait(5 * DAY_S);
    // As old as the others, but it was tried again just now.
    fail(recent!);
    fixture.nowMs = failedAt + 7 * DAY_S * 1000;
    assertEquals(queue.cleanupOld(), []);
    fixture.wait(1);
    assertEquals([...queue.oldFailed(7)], [[old]]);
    assertEquals(queue.cleanupOld(), [old]);
    assertEquals(queue.captures().toArray().map(({ id }) => id).length, 2);
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
    fixture.queue.complete([{
      id: id!,
      kind: "discard",
      error: "no such file",
    }]);
    assertEquals(fixture.queue.cleanupOld(), []);
    fixture.wait(8 * DAY_S);
    assertEquals(fixture.queue.cleanupOld(), [id]);
  },
);

testOnEachEngine(
  "UploadQueue counts right and keeps the order, however many captures are taken in, claimed and completed at once",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    for (const n of [1, 24, 25, 26, 110]) {
      const ids = queue.enqueueMany(Array.from({ length: n }, (_, i) => ({
        filepath: `/captures/${n}/${i}`,
        metadataJson: JSON.stringify({ i }),
        identity: { size: 2, mtimeMs: 0 },
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
      const found = queue.complete([
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
  "UploadQueue.remove() counts what it removes, whatever its status",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const ids = queue.enqueueMany(Array.from({ length: 9 }, (_, i) => ({
      filepath: `/captures/${i}`,
      metadataJson: "{}",
      identity: { size: 10, mtimeMs: 0 },
      spooled: i % 2 === 0,
    })));
    queue.claim(6);
    queue.complete(
      ids.slice(0, 3).map((id) => ({
        id,
        kind: "discard",
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
