import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { ReferenceServer } from "../../scripts/server/reference_server.ts";
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
import { withoutNames, writePastSchema } from "../helpers/past_schema.ts";
import { QueueFixture, START_MS } from "../helpers/queue_fixture.ts";
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
  const all = queue.captures().toArray();
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
      assertEquals(again.captures().toArray().length, ROWS.length);
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
    await using server = new ReferenceServer({ dir: dir.join("received") });
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
    assertEquals(
      queue.captures().toArray().map(({ id, status }) => [id, status]).sort(),
      [
        ["bad metadata.png", "failed"],
        ["failed.png", "failed"],
        ["gone", "failed"],
      ],
    );
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
  "a first design's database keeps rows that hold anything at all",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    const row = (...values: unknown[]) => values as OldRow;
    const blob = Uint8Array.of(0xff, 0x00, 0x41);
    makeByConnection({
      path,
      rows: [
        row("blobs", blob, blob, blob, blob, blob, blob),
        row("numbers", 1.5, 2 ** 53, 1e300, 1e300, 1e300, 1e300),
        row(blob, "/c/3", "{}", -1e300, -1e300, "", ""),
        row("a\0b", "/c/4\0", "{}\0", "0000-00-00", "many", "9999-12-31", 1),
      ],
    }, engine);
    using queue = new UploadQueue(path, { engine });
    assertEquals(queue.captures().toArray().length, 4);
    assertEquals(queue.getStats().pending, 4);
    assertEquals(queue.claim(10).length, 4);
    assertEquals(queue.findDamage(), null);
  },
);

testOnEachEngine(
  "a queue that was made without the names of hosts keeps every row, and has them from then on",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    fixture.enqueue("1", "2");
    fixture.queue.markUploading(fixture.queue.getPending()[0]!.id);
    const before = fixture.queue.captures().toArray();
    fixture.queue.close();
    withoutNames(fixture.path, engine);
    fixture.queue = fixture.open();
    const after = before.map((capture) => ({ ...capture, hostname: null }));
    assertEquals(fixture.queue.captures().toArray(), after);
    assertEquals(fixture.queue.findDamage(), null);
    const [id] = fixture.enqueue("3");
    fixture.restart();
    assertEquals(fixture.queue.get(id!)!.hostname, Deno.hostname());
  },
);

testOnEachEngine(
  "a new queue is marked as this program's",
  async (engine) => {
    await using dir = new TempDir();
    using database = openDatabase(dir.join("new.db"), { engine });
    prepareSchema(database);
    const pragma = (name: string) =>
      Object.values(database.prepare(`PRAGMA ${name}`).get()!)[0];
    assertEquals(pragma("user_version"), SCHEMA_VERSION);
    assertEquals(pragma("application_id"), APPLICATION_ID);
  },
);

testOnEachEngine(
  "a row that holds what the schema forbids is damage",
  async (engine) => {
    const changes = ["filepath = x'00ff'", "size = 9223372036854775807"];
    for (const change of changes) {
      await using fixture = new QueueFixture(engine);
      fixture.enqueue("1", "2");
      assertEquals(fixture.queue.findDamage(), null);
      fixture.queue.close();
      const sql = `UPDATE captures SET ${change} WHERE rowid = 1`;
      writePastSchema(fixture.path, { engine, sql });
      fixture.queue = fixture.open();
      assertStringIncludes(fixture.queue.findDamage()!, "captures");
    }
  },
);
