import { assert, assertEquals, assertThrows } from "@std/assert";
import { startReferenceServer } from "../../scripts/server/reference_server.ts";
import { SyncAgent } from "../../sync/agent/agent.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { prepareSchema } from "../../sync/queue/migrate.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { APPLICATION_ID, SCHEMA_VERSION } from "../../sync/queue/schema.ts";
import { CaptureUploader } from "../../sync/upload/uploader.ts";
import { ENGINES, testOnEachEngine } from "../helpers/engines.ts";
import {
  hasPython,
  makeByConnection,
  makeByPython,
  type OldDatabaseOptions,
  type OldRow,
} from "../helpers/first_design.ts";
import { START_MS } from "../helpers/queue_fixture.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const iso = (secondsFromStart: number) =>
  new Date(START_MS + secondsFromStart * 1000).toISOString();

/** What the first design may have left, oldest first. */
const ROWS: OldRow[] = [
  ["naive", "/c/1.png", '{"n":1}', "2026-02-27T09:00:00", 0, null, "pending"],
  [
    "micros",
    "/c/2.png",
    "{}",
    "2026-02-27T09:00:01.250750",
    0,
    null,
    "pending",
  ],
  ["zone", "/c/3.png", "{}", "2026-02-27T10:00:02+01:00", 0, null, "pending"],
  ["utc", "/c/4.png", "{}", "2026-02-27T09:00:03Z", 0, null, "pending"],
  ["space", "/c/5.png", "{}", "2026-02-27 09:00:04", 0, null, "pending"],
  ["busy", "/c/6.png", "{}", "2026-02-27T09:00:05", 1, iso(-5), "uploading"],
  ["failed", "/c/7.png", "{}", "2026-02-27T09:00:06", 3, iso(-500), "failed"],
  [
    "tried 90 s ago",
    "/c/8.png",
    "{}",
    "2026-02-27T09:00:07",
    1,
    iso(-90),
    "pending",
  ],
  [
    "tried 30 s ago",
    "/c/9.png",
    "{}",
    "2026-02-27T09:00:08",
    1,
    iso(-30),
    "pending",
  ],
  ["odd status", "/c/10.png", "{}", "2026-02-27T09:00:09", 0, null, "paused"],
  ["no status", "/c/11.png", "{}", "2026-02-27T09:00:10", null, null, null],
  [
    "../../etc/passwd",
    "/c/12.png",
    "{}",
    "2026-02-27T09:00:11",
    -3,
    null,
    "pending",
  ],
  ["when?", "/c/13.png", "{}", "yesterday", 0, "just now", "pending"],
  ["nothing", null, null, null, null, null, null],
  [null, "/c/15.png", "{}", null, 0, null, "pending"],
  [null, "/c/16.png", "{}", null, 0, null, "pending"],
];

/** Opens a queue that holds {@linkcode ROWS}, and looks at what became of each. */
function assertMigrated(path: string, engine: (typeof ENGINES)[number]): void {
  let nowMs = START_MS;
  using queue = new UploadQueue(path, { engine, now: () => nowMs });
  const all = queue.list();
  assertEquals(all.length, ROWS.length);
  const at = (id: string) => queue.get(id)!;
  for (const [n, id] of ["naive", "micros", "zone", "utc", "space"].entries()) {
    assertEquals(at(id).createdAt.slice(0, 19), `2026-02-27T09:00:0${n}`);
  }
  assertEquals(at("micros").createdAt, "2026-02-27T09:00:01.251Z");
  assertEquals(at("naive").metadataJson, '{"n":1}');
  assertEquals(at("busy").status, "uploading");
  assertEquals(at("busy").lastAttempt, iso(-5));
  assertEquals(at("failed").status, "failed");
  assertEquals([at("failed").attempts, at("../../etc/passwd").attempts], [
    3,
    0,
  ]);
  for (const id of ["odd status", "no status", "when?"]) {
    assertEquals(at(id).status, "pending");
  }
  // Without a usable time a row counts as new.
  assert(Date.parse(at("when?").createdAt) > Date.parse(at("utc").createdAt));
  assertEquals(at("nothing").filepath, "");
  assertEquals(at("nothing").metadataJson, "{}");
  const nameless = all.filter(({ filepath }) => /1[56]/.test(filepath));
  assertEquals(new Set(nameless.map(({ id }) => id.length)), new Set([32]));
  assertEquals(queue.getStats(), {
    pending: 14,
    uploading: 1,
    failed: 1,
    delivered: 0,
  });
  // The last to come stands last, but for those whose time is unknown.
  assertEquals(queue.getPending(20).map(({ id }) => id).slice(0, 9), [
    "naive",
    "micros",
    "zone",
    "utc",
    "space",
    "tried 90 s ago",
    "odd status",
    "no status",
    "../../etc/passwd",
  ]);
  nowMs += 30_000;
  assert(queue.getPending(20).some(({ id }) => id === "tried 30 s ago"));
  assertEquals(queue.findDamage(), null);
}

for (const journalMode of ["delete", "wal"] as const) {
  testOnEachEngine(
    `a first design's database keeps every row, journal mode ${journalMode}`,
    async (engine) => {
      await using dir = new TempDir();
      const path = dir.join("queue.db");
      makeByConnection({ path, rows: ROWS, journalMode }, engine);
      assertMigrated(path, engine);
      using again = new UploadQueue(path, { engine });
      assertEquals(again.list().length, ROWS.length);
    },
  );
}

/** A test of databases that Python has made; skipped where there is none. */
const pythonIsThere = await hasPython();
function testWithPython(
  name: string,
  options: Partial<OldDatabaseOptions>,
  verify: (path: string, engine: (typeof ENGINES)[number]) => void,
): void {
  for (const engine of ENGINES) {
    Deno.test({
      name: `${name} (${engine}${
        pythonIsThere ? "" : "; there is no python3"
      })`,
      ignore: !pythonIsThere,
      async fn() {
        await using dir = new TempDir();
        const path = dir.join("queue.db");
        await makeByPython({ path, rows: ROWS, ...options });
        verify(path, engine);
      },
    });
  }
}

testWithPython(
  "a first design's database made by Python keeps every row",
  {},
  assertMigrated,
);

testWithPython(
  "a first design's database in WAL mode keeps every row",
  { journalMode: "wal" },
  assertMigrated,
);

testWithPython(
  "a first design's database keeps what a killed program left in its -wal",
  { journalMode: "wal", killed: true },
  (path, engine) => {
    assert(Deno.statSync(path + "-wal").size > 0);
    assertMigrated(path, engine);
  },
);

testWithPython(
  "a first design's database loses nothing but what a killed program had not committed",
  { killed: true },
  (path, engine) => {
    assert(Deno.statSync(path + "-journal").size > 0);
    assertMigrated(path, engine);
  },
);

Deno.test({
  name: "a first design's database made by Python drains" +
    (pythonIsThere ? "" : " (skipped: there is no python3)"),
  ignore: !pythonIsThere,
  async fn() {
    await using dir = new TempDir();
    await using server = startReferenceServer({ dir: dir.join("received") });
    const path = dir.join("queue.db");
    const row = (name: string, metadata: string, status: string): OldRow => {
      const file = dir.write(name, `bytes of ${name}`);
      return [name, file, metadata, "2026-02-27T09:00:00", 0, null, status];
    };
    const rows = [
      row("first.png", '{"door":1}', "pending"),
      row("second.png", "{}", "uploading"),
      row("failed.png", "{}", "failed"),
      ["gone", dir.join("gone.png"), "{}", "2026-02-27", 0, null, "pending"],
      row("bad metadata.png", "not JSON", "pending"),
    ];
    await makeByPython({ path, rows });
    using queue = new UploadQueue(path);
    await using uploader = new CaptureUploader(server.url, { maxRetries: 1 });
    const agent = new SyncAgent({ queue, uploader, concurrency: 1 });
    const report = await agent.runOnce();
    assertEquals(report, { delivered: 2, failed: 2, postponed: 0 });
    const received = server.captures.map(({ filename, idempotencyKey }) => [
      filename,
      idempotencyKey,
    ]);
    assertEquals(received, [
      ["first.png", "first.png"],
      ["second.png", "second.png"],
    ]);
    assertEquals(queue.list().map(({ id, status }) => [id, status]).sort(), [
      ["bad metadata.png", "failed"],
      ["failed.png", "failed"],
      ["gone", "failed"],
    ]);
  },
});

testOnEachEngine(
  "a migration that cannot be finished leaves the database as it was",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    makeByConnection({ path, rows: ROWS }, engine);
    {
      using database = openDatabase(path, { engine });
      // In the way of one of the queue's own tables, the last that is made.
      database.exec("CREATE TABLE agent (x)");
    }
    assertThrows(() => new UploadQueue(path, { engine }), Error, "agent");
    {
      using database = openDatabase(path, { engine });
      const [{ n }] = database.prepare("SELECT count(*) AS n FROM queue")
        .all() as [{ n: number }];
      assertEquals(n, ROWS.length);
      database.exec("DROP TABLE agent");
    }
    assertMigrated(path, engine);
  },
);

testOnEachEngine(
  "prepareSchema() makes the journal durable, and marks the database as its own",
  async (engine) => {
    await using dir = new TempDir();
    using database = openDatabase(dir.join("new.db"), { engine });
    prepareSchema(database);
    const pragma = (name: string) =>
      Object.values(database.prepare(`PRAGMA ${name}`).get()!)[0];
    assertEquals(pragma("journal_mode"), "wal");
    assertEquals(pragma("synchronous"), 2);
    assertEquals(pragma("user_version"), SCHEMA_VERSION);
    assertEquals(pragma("application_id"), APPLICATION_ID);
  },
);

/** What version 1 had instead: it counted everything by triggers. */
const BACK_TO_VERSION_1 = `
DROP VIEW arrivals;
DROP TRIGGER count_update;
CREATE TRIGGER count_insert AFTER INSERT ON captures BEGIN
  UPDATE counts SET n = n + 1 WHERE status = new.status;
END;
CREATE TRIGGER count_delete AFTER DELETE ON captures BEGIN
  UPDATE counts SET n = n - 1 WHERE status = old.status;
END;
CREATE TRIGGER count_spooled AFTER INSERT ON captures WHEN new.spooled = 1 BEGIN
  UPDATE counts SET n = n + coalesce(new.size, 0) WHERE status = 'spooled bytes';
END;
CREATE TRIGGER count_unspooled AFTER DELETE ON captures WHEN old.spooled = 1 BEGIN
  UPDATE counts SET n = n - coalesce(old.size, 0) WHERE status = 'spooled bytes';
END;
CREATE TRIGGER count_update AFTER UPDATE OF status ON captures
WHEN old.status <> new.status BEGIN
  UPDATE counts SET n = n - 1 WHERE status = old.status;
  UPDATE counts SET n = n + 1 WHERE status = new.status;
END;
CREATE TRIGGER count_delivered AFTER INSERT ON delivered BEGIN
  UPDATE counts SET n = n + 1 WHERE status = 'delivered';
END;
PRAGMA user_version = 1;
`;

/** Makes a queue of version 1 with 30 captures, one of each status, and one delivered. */
function makeVersion1(path: string, engine: (typeof ENGINES)[number]): void {
  using queue = new UploadQueue(path, { engine, now: () => START_MS });
  queue.enqueueMany(Array.from({ length: 31 }, (_, n) => ({
    filepath: `/captures/${n}`,
    metadata: { n },
    size: 10,
    spooled: true,
  })));
  const [delivered, failed] = queue.claim(3);
  queue.settle([
    { id: delivered!.id, kind: "delivered" },
    { id: failed!.id, kind: "rejected", error: "HTTP 422" },
  ]);
  using database = openDatabase(path, { engine });
  database.exec(BACK_TO_VERSION_1);
}

/** What version 1 does when it takes a capture in, and when it delivers one. */
const IN_VERSION_1 = {
  insert: `INSERT INTO captures (id, filepath, metadata_json, created_at)
    VALUES ('new', '/captures/new', '{}', 0)`,
  deliver: `DELETE FROM captures WHERE status = 'uploading'`,
};

testOnEachEngine(
  "a database of version 1 keeps every row and goes on counting",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    makeVersion1(path, engine);
    using queue = new UploadQueue(path, { engine, now: () => START_MS });
    assertEquals(queue.list().length, 30);
    const counts = { pending: 28, uploading: 1, failed: 1, delivered: 1 };
    assertEquals(queue.getStats(), counts);
    assertEquals(queue.spooledBytes(), 300);
    const [claimed] = queue.claim(1);
    queue.markCompleted(claimed!.id);
    queue.enqueue("/captures/new");
    const after = { ...counts, delivered: 2 };
    assertEquals(queue.getStats(), after);
    assertEquals(queue.spooledBytes(), 290);
    using again = new UploadQueue(path, { engine });
    assertEquals(again.getStats(), after);
  },
);

testOnEachEngine(
  "what a program of version 1 does after the migration is counted when the next agent starts",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    makeVersion1(path, engine);
    using old = openDatabase(path, { engine });
    const insert = old.prepare(IN_VERSION_1.insert);
    const deliver = old.prepare(IN_VERSION_1.deliver);
    using queue = new UploadQueue(path, { engine });
    insert.run();
    deliver.run();
    queue.recover();
    const counts = { pending: 29, uploading: 0, failed: 1, delivered: 1 };
    assertEquals(queue.getStats(), counts);
    assertEquals(queue.spooledBytes(), 290);
  },
);

testOnEachEngine(
  "a database of version 1 that cannot be migrated stays as it was",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    makeVersion1(path, engine);
    {
      using database = openDatabase(path, { engine });
      database.exec("DROP TRIGGER count_delivered");
    }
    assertThrows(
      () => new UploadQueue(path, { engine }),
      Error,
      "count_delivered",
    );
    using database = openDatabase(path, { engine });
    const triggers = database.prepare(
      "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    ).all();
    assertEquals(triggers.length, 5);
  },
);
