import { assert, assertEquals } from "@std/assert";
import type { Attempt, UploadQueue } from "../../sync/queue/queue.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { QueueFixture, START_MS } from "../helpers/queue_fixture.ts";

const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;

const charge = (queue: UploadQueue, id: string) =>
  queue.complete([{ id, kind: "charge", error: "HTTP 500" }]);

testOnEachEngine(
  "UploadQueue.complete() records every kind of outcome at once",
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
    const found = queue.complete([
      { id: sent, kind: "delivered", captureId: "7" },
      { id: charged, kind: "charge", error: "HTTP 500" },
      { id: rejected, kind: "discard", error: "HTTP 422" },
      { id: back, kind: "release", error: "refused" },
      { id: later, kind: "snooze", error: "HTTP 403", delayMs: 90_000 },
      { id: "removed meanwhile", kind: "delivered" },
    ]);
    assertEquals(found, 5);
    const states = queue.captures().toArray().map((
      { id, status, attempts, lastError },
    ) => [
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
  "UploadQueue.complete() snoozes for an hour at most",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const [id] = fixture.enqueue("later");
    fixture.queue.markUploading(id!);
    const delayMs = 1e12;
    fixture.queue.complete([{ id: id!, kind: "snooze", error: "", delayMs }]);
    assertEquals(fixture.queue.nextDueMs(), HOUR_S * 1000);
    fixture.wait(HOUR_S - 1);
    assertEquals(fixture.pending(), []);
    fixture.wait(1);
    assertEquals(fixture.pending(), ["later"]);
  },
);

testOnEachEngine(
  "UploadQueue.complete() releases only what is under way",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [failed, waiting] = fixture.enqueue("failed", "waiting");
    queue.complete([{ id: failed!, kind: "discard", error: "HTTP 422" }]);
    queue.markFailed(waiting!, "HTTP 500");
    const releases = [failed!, waiting!].map((id) => ({
      id,
      kind: "release" as const,
    }));
    assertEquals(queue.complete(releases), 0);
    assertEquals(fixture.pending(), []);
  },
);

testOnEachEngine(
  "UploadQueue.complete() keeps to the order, and to what was sent",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const identity = { fileId: "1:1", size: 6, mtimeMs: 7, ctimeMs: 8 };
    const ids = fixture.enqueue("0", "1", "2", "3");
    const [first, second, third, fourth] = ids as [
      string,
      string,
      string,
      string,
    ];
    queue.claim(3);
    const found = queue.complete([
      { id: first, kind: "delivered", captureId: "a", sha256: "5a", identity },
      { id: second, kind: "discard", error: "HTTP 422" },
      { id: second, kind: "delivered" },
      { id: third, kind: "delivered", captureId: "b" },
      { id: third, kind: "discard", error: "HTTP 422" },
      { id: fourth, kind: "delivered" },
    ]);
    assertEquals(found, 5);
    const none = { pending: 0, uploading: 0, failed: 0 };
    assertEquals(queue.getStats(), { ...none, delivered: 4 });
    const ledger = fixture.query(
      "SELECT server_id, size, sha256 FROM delivered ORDER BY filepath",
    );
    assertEquals(ledger.map(({ server_id }) => server_id), [
      "a",
      null,
      "b",
      null,
    ]);
    assertEquals({ ...ledger[0] }, { server_id: "a", size: 6, sha256: "5a" });
  },
);

testOnEachEngine(
  "a charged capture waits a minute, then twice as long each time, at most an hour",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [id] = fixture.enqueue("stubborn");
    const waits = [];
    for (let attempt = 1; attempt <= 9; attempt++) {
      assertEquals(queue.claim(1).length, 1);
      // Sending it took a while.
      fixture.wait(20);
      charge(queue, id!);
      const { attempts, lastError } = queue.get(id!)!;
      assertEquals([attempts, lastError], [attempt, "HTTP 500"]);
      waits.push(queue.nextDueMs()! / 1000);
      fixture.wait(waits.at(-1)!);
    }
    assertEquals(waits, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
  },
);

testOnEachEngine(
  "a capture fails with ten charged attempts that span a day, and not before",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [id] = fixture.enqueue("stubborn");
    const begun = fixture.nowMs;
    let last = begun;
    while (queue.claim(1).length === 1) {
      last = fixture.nowMs;
      charge(queue, id!);
      if (queue.nextDueMs() !== null) fixture.wait(queue.nextDueMs()! / 1000);
    }
    const { status, attempts, nextAttemptAt } = queue.get(id!)!;
    assertEquals([status, nextAttemptAt], ["failed", null]);
    assert(attempts > 10, `${attempts}`);
    assert(last - begun >= DAY_S * 1000 && last - begun < 26 * HOUR_S * 1000);
  },
);

testOnEachEngine(
  "attempts that a person asks for before their time are not counted",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [id] = fixture.enqueue("stubborn");
    queue.claim(1);
    charge(queue, id!);
    for (let n = 0; n < 30; n++) {
      fixture.wait(1);
      queue.makeAllDue();
      assertEquals(queue.claim(1).length, 1);
      charge(queue, id!);
    }
    assertEquals(queue.get(id!)?.attempts, 1);
    // And it waits no longer for them.
    assertEquals(queue.nextDueMs(), 30_000);
    fixture.wait(30);
    queue.claim(1);
    charge(queue, id!);
    assertEquals(queue.get(id!)?.attempts, 2);
  },
);

testOnEachEngine(
  "days of asking for a retry do not make a capture fail",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [id] = fixture.enqueue("stubborn");
    for (let n = 0; n < 40; n++) {
      queue.retry([id!]);
      queue.claim(1);
      charge(queue, id!);
      fixture.wait(2 * HOUR_S);
    }
    assertEquals(queue.get(id!)?.status, "pending");
  },
);

testOnEachEngine(
  "a clock that was set back counts attempts all the same",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [id] = fixture.enqueue("stubborn");
    charge(queue, id!);
    fixture.wait(-365 * DAY_S);
    for (let attempt = 2; attempt <= 12; attempt++) {
      assertEquals(queue.claim(1).length, 1);
      charge(queue, id!);
      assertEquals(queue.get(id!)?.attempts, attempt);
      fixture.wait(queue.nextDueMs()! / 1000);
    }
    fixture.wait(DAY_S);
    queue.claim(1);
    charge(queue, id!);
    assertEquals(queue.get(id!)?.status, "failed");
  },
);

testOnEachEngine(
  "the last twenty attempts for a capture are kept, also when it is retried, or delivered",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [id, other] = fixture.enqueue("stubborn", "other");
    const attempt = (n: number): Attempt => ({
      startedMs: START_MS + n,
      elapsedMs: n + 0.4,
      status: n % 2 === 0 ? 500 : null,
      error: `error ${n}`,
      sha256: n % 2 === 0 ? "5a" : null,
    });
    const kinds = ["charge", "snooze", "discard"] as const;
    for (let n = 0; n < 25; n++) {
      const kind = kinds[n % 3]!;
      queue.retry([id!]);
      queue.markUploading(id!);
      const error = `error ${n}`;
      queue.complete([
        { id: id!, kind, error, delayMs: 0, attempt: attempt(n) },
        { id: "unknown", kind, error, delayMs: 0, attempt: attempt(n) },
      ]);
    }
    const kept = Array.from({ length: 20 }, (_, n) => attempt(n + 5))
      .map((one) => ({ ...one, elapsedMs: Math.round(one.elapsedMs) }));
    assertEquals(queue.attempts(id!), kept);
    assertEquals(queue.attempts(other!), []);
    assertEquals(queue.attempts("unknown"), []);
    const last = {
      startedMs: fixture.nowMs - 30,
      elapsedMs: 30,
      status: 201,
      error: null,
    };
    queue.complete([
      {
        id: id!,
        kind: "delivered",
        captureId: "7",
        sha256: "5a",
        attempt: last,
      },
    ]);
    assertEquals(queue.attempts(id!), [...kept, { ...last, sha256: "5a" }]);
    const [row] = fixture.query(
      "SELECT attempts_made, elapsed_ms FROM delivered",
    );
    assertEquals({ ...row }, { attempts_made: 26, elapsed_ms: 30 });
  },
);

testOnEachEngine(
  "a removed capture's attempts go with it",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [id] = fixture.enqueue("one");
    const attempt = { startedMs: 0, elapsedMs: 1, status: 422, error: "no" };
    queue.complete([{ id: id!, kind: "discard", error: "no", attempt }]);
    assertEquals(queue.attempts(id!).length, 1);
    queue.remove([id!]);
    assertEquals(fixture.query("SELECT * FROM attempts"), []);
  },
);

testOnEachEngine(
  "a watched capture whose file was missed is due now if the file is known to be elsewhere by then",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const identity = { fileId: "1:2", size: 5, mtimeMs: 1, ctimeMs: 1 };
    const filepath = "/watched/a.raw";
    const file = { filepath, metadataJson: "{}", identity, watched: true };
    const error = "the file is gone";
    for (const kind of ["snooze", "discard"] as const) {
      for (const isRenamed of [true, false]) {
        const [id] = queue.enqueueMany([file]) as [string];
        queue.claim(1);
        if (isRenamed) {
          queue.knownWatched([{ path: "/watched/b.raw", identity }]);
        }
        const record = { id, error, delayMs: 60_000, missedAt: filepath };
        queue.complete([{ kind, ...record }]);
        const { status, attempts, lastError } = queue.get(id)!;
        const isDue = queue.getPending(1).length > 0;
        const expected = isRenamed
          ? ["pending", 0, null, true]
          : kind === "snooze"
          ? ["pending", 0, error, false]
          : ["failed", 1, error, false];
        assertEquals([status, attempts, lastError, isDue], expected);
        queue.remove([id]);
      }
    }
  },
);
