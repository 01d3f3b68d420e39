import { assert, assertEquals, assertThrows } from "@std/assert";
import { UNREADABLE } from "../../sync/queue/capture_row.ts";
import {
  DatabaseError,
  type Engine,
  openDatabase,
} from "../../sync/queue/sqlite.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { writePastSchema } from "../helpers/past_schema.ts";
import { QueueFixture, START_MS } from "../helpers/queue_fixture.ts";

/** A queue with one bad row between two good ones. */
function spoiled(engine: Engine, change: string): QueueFixture {
  const fixture = new QueueFixture(engine);
  fixture.enqueue("first", "bad", "last");
  fixture.queue.close();
  writePastSchema(fixture.path, {
    engine,
    sql: `UPDATE captures SET ${change} WHERE rowid = 2`,
  });
  fixture.queue = fixture.open();
  return fixture;
}

const NO_TEXTS = [
  "x'00ff'",
  "x''",
  "CAST(x'2fff2f' AS TEXT)",
  "'a' || char(0) || 'b'",
];

testOnEachEngine(
  "a row whose id, path or metadata is no text is set aside as failed, and holds nobody up",
  async (engine) => {
    const blobs = NO_TEXTS.slice(0, 2);
    const changes = [
      ...NO_TEXTS.map((value) => `id = ${value}`),
      ...blobs.map((value) => `filepath = ${value}`),
      ...blobs.map((value) => `metadata_json = ${value}`),
    ];
    for (const change of changes) {
      await using fixture = spoiled(engine, change);
      const { queue } = fixture;
      assertEquals(queue.captures().toArray().length, 3, change);
      const claimed = queue.claim(10).map(({ filepath }) => filepath);
      assertEquals(claimed, ["/captures/first", "/captures/last"], change);
      const { pending, uploading, failed } = queue.getStats();
      assertEquals([pending, uploading, failed], [0, 2, 1], change);
      // From now on it is a capture like any other.
      const [aside] = queue.captures({ status: "failed" }).toArray();
      assertEquals(aside!.lastError, UNREADABLE, change);
      assertEquals(queue.get(aside!.id), aside, change);
      assertEquals(queue.remove([aside!.id]), [aside!.id], change);
    }
  },
);

testOnEachEngine(
  "an odd row among the attempts or the watched files holds no delivery up",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    const [id] = fixture.enqueue("a.png");
    using database = openDatabase(fixture.path, { engine });
    database.exec(
      `PRAGMA ignore_check_constraints = ON;
      INSERT INTO attempts VALUES ('${id}', 9007199254740991, 0, 0, 500, 'no', NULL)`,
    );
    queue.claim(1);
    const attempt = { startedMs: 0, elapsedMs: 1, status: 500, error: "no" };
    const failure = { id: id!, kind: "charge", error: "no" } as const;
    assertEquals(queue.complete([{ ...failure, attempt }]), 1);
  },
);

testOnEachEngine(
  "a hundred rows that cannot be read hold up nobody who stands behind them",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    for (let n = 0; n < 100; n++) fixture.enqueue(`bad ${n}`);
    fixture.enqueue("good");
    fixture.queue.close();
    writePastSchema(fixture.path, {
      engine,
      sql:
        "UPDATE captures SET id = x'ff' || id WHERE filepath <> '/captures/good'",
    });
    fixture.queue = fixture.open();
    const claimed = fixture.queue.claim(8).map(({ filepath }) => filepath);
    assertEquals(claimed, ["/captures/good"]);
    assertEquals(fixture.queue.getStats().failed, 100);
  },
);

testOnEachEngine(
  "a number that JavaScript cannot hold is unknown, and the capture goes its way",
  async (engine) => {
    const numbers = ["size", "mtime_ms", "ctime_ms", "created_at", "attempts"];
    for (const column of [...numbers, "snoozes", "last_attempt"]) {
      await using fixture = spoiled(engine, `${column} = 9223372036854775807`);
      const { queue } = fixture;
      assertEquals(queue.captures().toArray().length, 3, column);
      const claimed = queue.claim(10).map(({ id }) => id);
      assertEquals(claimed.length, 3, column);
      const found = queue.complete(
        claimed.map((id) => ({ id, kind: "charge", error: "HTTP 500" })),
      );
      assertEquals(found, 3, column);
      assert(queue.spooledBytes() >= 0, column);
    }
  },
);

testOnEachEngine(
  "a time of waiting that JavaScript cannot hold counts as come",
  async (engine) => {
    await using fixture = spoiled(engine, "due_at = 9223372036854775807");
    assertEquals(fixture.queue.nextDueMs(), 0);
    assertEquals(fixture.pending(), ["first", "bad", "last"]);
  },
);

testOnEachEngine(
  "a queue refuses what no reader expects",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    fixture.enqueue("one");
    using database = openDatabase(fixture.path, { engine });
    const changes = [
      "filepath = x'00'",
      "metadata_json = x'7b7d'",
      "size = 'large'",
      "size = 9007199254740993",
      "due_at = -9007199254740993",
      "status = 'sent'",
      "spooled = 2",
      "id = NULL",
    ];
    for (const change of changes) {
      assertThrows(
        () => database.exec(`UPDATE captures SET ${change}`),
        DatabaseError,
        "",
        change,
      );
    }
  },
);

testOnEachEngine(
  "a capture's times are shown whatever they are",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const times = [START_MS, 0, -1, 8.64e15, 9e15];
    for (const createdAtMs of times) {
      fixture.queue.enqueue("/captures/x", {}, { createdAtMs });
    }
    const shown = new Set(
      fixture.queue.captures().toArray().map(({ createdAt }) => createdAt),
    );
    assertEquals(
      shown,
      new Set([
        "2026-03-01T12:00:00.000Z",
        "1970-01-01T00:00:00.000Z",
        "1969-12-31T23:59:59.999Z",
        "+275760-09-13T00:00:00.000Z",
      ]),
    );
  },
);
