import { assert, assertEquals } from "@std/assert";
import type { QueuedCapture, UploadQueue } from "../../sync/queue/queue.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { QueueFixture } from "../helpers/queue_fixture.ts";

const HOUR_S = 3600;
const YEAR_S = 365 * 24 * HOUR_S;

const namesOf = (captures: QueuedCapture[]) =>
  captures.map(({ filepath }) => filepath.replace("/captures/", ""));

/** Puts every capture off once, as an agent does for which the server was away. */
function snoozeAll(fixture: QueueFixture): void {
  const claimed = fixture.queue.claim(1000);
  fixture.queue.complete(claimed.map(({ id }) => ({
    id,
    kind: "snooze",
    error: "HTTP 403",
    delayMs: 60_000,
  })));
}

testOnEachEngine(
  "whoever was snoozed stands behind those who were not, however old",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    fixture.enqueue("old 1", "old 2");
    snoozeAll(fixture);
    fixture.wait(60);
    fixture.enqueue("new 1", "new 2");
    assertEquals(fixture.pending(), ["new 1", "new 2", "old 1", "old 2"]);
    assertEquals(namesOf(fixture.queue.claim(3)), ["new 1", "new 2", "old 1"]);
    assertEquals(fixture.queue.get(fixture.queue.claim(1)[0]!.id)?.snoozes, 1);
  },
);

testOnEachEngine(
  "one place in eight is for captures that were snoozed, however many new ones come",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const names = (kind: string, count: number) =>
      Array.from({ length: count }, (_, n) => `${kind} ${n}`);
    fixture.enqueue(...names("old", 20));
    snoozeAll(fixture);
    fixture.wait(60);
    fixture.enqueue(...names("new", 200));
    for (
      const [limit, times] of [[1, 16], [5, 16], [16, 2], [64, 1]] as const
    ) {
      const claimed = Array.from({ length: times })
        .flatMap(() => namesOf(fixture.queue.claim(limit)));
      const old = claimed.filter((name) => name.startsWith("old"));
      assertEquals(claimed.length, limit * times);
      assertEquals(old.length, Math.floor(limit * times / 8), `by ${limit}`);
      fixture.queue.recover();
    }
  },
);

testOnEachEngine(
  "a hundred captures that are refused hold up none that is not",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    fixture.enqueue(...Array.from({ length: 100 }, (_, n) => `refused ${n}`));
    const delivered: string[] = [];
    for (let round = 0; round < 20; round++) {
      if (round < 10) fixture.enqueue(`good ${round}`);
      fixture.wait(60);
      for (const capture of queue.claim(8)) {
        const { id } = capture;
        const [name] = namesOf([capture]);
        if (name!.startsWith("good")) {
          delivered.push(name!);
          queue.markCompleted(id);
        } else {
          const error = "HTTP 403";
          queue.complete([{ id, kind: "snooze", error, delayMs: 60_000 }]);
        }
      }
    }
    assertEquals(delivered.length, 10);
  },
);

testOnEachEngine(
  "a hundred thousand waiting captures are not gone through for those that are ready",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    {
      using database = openDatabase(fixture.path, { engine });
      const insert = database.prepare(
        `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
         INSERT INTO captures (id, filepath, metadata_json, created_at, due_at)
         SELECT hex(randomblob(16)), '/captures/' || n, '{}', n, ? FROM n`,
      );
      database.transaction(() => insert.run(100_000, fixture.nowMs + 60_000));
      database.transaction(() => insert.run(1000, null));
      // SQLite may look at the data any time, and plan anew.
      database.exec("ANALYZE");
    }
    fixture.restart();
    // If each went through all of them, this would take minutes.
    for (let n = 0; n < 2000; n++) {
      const [first] = fixture.queue.getPending(1);
      if (first?.filepath !== "/captures/1") throw new Error(first?.filepath);
      fixture.queue.getStats();
      fixture.queue.nextDueMs();
    }
    assertEquals(fixture.queue.getStats().pending, 101_000);
    assertEquals(fixture.queue.nextDueMs(), 60_000);
    fixture.wait(60);
    assertEquals(fixture.pending(3), ["1", "1", "2"]);
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
    const [first] = fixture.queue.captures({ status: "uploading" }).toArray();
    assertEquals(first?.lastAttempt, "2026-03-01T12:00:03.000Z");
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
    assertEquals(queue.captures().toArray().map(({ attempts }) => attempts), [
      1,
      0,
      0,
    ]);
    assertEquals(queue.getStats().failed, 0);
  },
);

testOnEachEngine(
  "a wall clock that jumps a year back stalls nothing",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [waiting, snoozed] = fixture.enqueue("waiting", "snoozed", "fresh");
    queue.markFailed(waiting!, "HTTP 500");
    queue.markUploading(snoozed!);
    const delayMs = 600_000;
    queue.complete([{ id: snoozed!, kind: "snooze", error: "", delayMs }]);
    fixture.wait(-YEAR_S);
    assert(queue.nextDueMs()! <= HOUR_S * 1000);
    assertEquals(fixture.pending(), ["waiting", "fresh", "snoozed"]);
    assertEquals(queue.get(waiting!)?.attempts, 1);
    queue.markFailed(waiting!, "HTTP 500");
    assertEquals(queue.nextDueMs(), 120_000);
    fixture.wait(120);
    assertEquals(fixture.pending(), ["waiting", "fresh", "snoozed"]);
  },
);

testOnEachEngine(
  "UploadQueue.claim() takes captures with a priority first, the highest, then the oldest",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [a, b, c, d, e, f] = fixture.enqueue(..."abcdef");
    queue.setPriority(d!, 5);
    queue.setPriority(b!, 5);
    queue.setPriority(f!, 9);
    assertEquals(fixture.pending(), [..."fbdace"]);
    assertEquals(fixture.pending(4), [..."fbda"]);
    assertEquals(fixture.pending(2), [..."fb"]);
    // One that is put off waits like any other.
    assertEquals(namesOf(queue.claim(1)), ["f"]);
    queue.complete([{ id: f!, kind: "snooze", error: "", delayMs: 60_000 }]);
    queue.claim(1);
    assertEquals(queue.captures({ status: "uploading" }).toArray()[0]!.id, b);
    assertEquals(fixture.pending(), [..."dace"]);
    assertEquals([a, c, e].every((id) => queue.setPriority(id!, 0)), true);
    assertEquals(queue.setPriority("nonsense", 1), false);
  },
);

testOnEachEngine(
  "UploadQueue.bump() makes captures the next ones, also those that wait, and no failed ones",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [a, b, c, d] = fixture.enqueue(..."abcd");
    queue.setPriority(b!, 100);
    queue.markFailed(d!, "HTTP 500");
    queue.complete([{ id: a!, kind: "discard", error: "no" }]);
    assertEquals(queue.bump([d!, "nonsense", c!, a!]), [d!, c!]);
    assertEquals(fixture.pending(), [..."dcb"]);
    assertEquals(queue.get(d!)!.attempts, 1);
  },
);

testOnEachEngine(
  "newest first is the same order turned round: after priorities, and before those that were snoozed",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    using newest = fixture.open({ order: "newest" });
    fixture.enqueue("old 1", "old 2");
    snoozeAll(fixture);
    fixture.wait(60);
    const [, b, c, , e] = fixture.enqueue(..."abcde");
    for (const [id, priority] of [[b, 5], [c, 5], [e, 1]] as const) {
      newest.setPriority(id!, priority);
    }
    const names = namesOf(newest.getPending());
    assertEquals(names, [..."cbeda", "old 2", "old 1"]);
    assertEquals(namesOf(newest.claim(4)), [..."cbed"]);
    assertEquals(namesOf(newest.claim(4)), ["a", "old 2", "old 1"]);
  },
);

testOnEachEngine(
  "UploadQueue.claim() from the end takes those whose turn comes last, but for the snoozed ones",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    using newest = fixture.open({ order: "newest" });
    fixture.enqueue("snoozed");
    snoozeAll(fixture);
    fixture.wait(60);
    fixture.enqueue(..."abcd");
    const claimed = (queue: UploadQueue) =>
      namesOf(queue.claim(1, { fromEnd: true }));
    assertEquals(claimed(fixture.queue), ["d"]);
    assertEquals(claimed(newest), ["a"]);
    assertEquals(claimed(fixture.queue), ["c"]);
    assertEquals(claimed(newest), ["b"]);
    assertEquals(claimed(newest), ["snoozed"]);
  },
);

testOnEachEngine(
  "the newest of fifty thousand are found without going through them",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    {
      using database = openDatabase(fixture.path, { engine });
      const insert = database.prepare(
        `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 25000)
         INSERT INTO captures (id, filepath, metadata_json, created_at, priority)
         SELECT hex(randomblob(16)), '/captures/' || n, '{}', n, ? FROM n`,
      );
      for (const priority of [0, 5]) {
        database.transaction(() => insert.run(priority));
      }
      database.exec("ANALYZE");
    }
    using newest = fixture.open({ order: "newest" });
    // If each sorted all of them, this would take minutes.
    for (let n = 0; n < 500; n++) {
      const [first] = newest.getPending(1);
      if (first?.filepath !== "/captures/25000") throw new Error(first?.id);
    }
    const names = namesOf(newest.claim(64));
    assertEquals(names[0], "25000");
    assertEquals(names[63], String(25_000 - 63));
  },
);
