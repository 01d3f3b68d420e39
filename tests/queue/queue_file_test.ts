import { assert, assertEquals, assertThrows } from "@std/assert";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { QueueFile } from "../../sync/queue/queue_file.ts";
import { OBJECTS } from "../../sync/queue/schema.ts";
import {
  DatabaseError,
  type Engine,
  openDatabase,
} from "../../sync/queue/sqlite.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const POSIX = Deno.build.os !== "windows";

/** Everything in a folder: names, bytes, and who may read them. */
function snapshot(dir: TempDir): Record<string, [number | null, string]> {
  const names = [...Deno.readDirSync(dir.path)].map(({ name }) => name).sort();
  return Object.fromEntries(names.map((name) => {
    const bytes = Deno.readFileSync(dir.join(name));
    return [name, [
      Deno.statSync(dir.join(name)).mode,
      new TextDecoder("latin1").decode(bytes),
    ]];
  }));
}

/** Expects that a file is refused with these words, and nothing changed. */
function assertRefused(dir: TempDir, engine: Engine, words: string): void {
  const before = snapshot(dir);
  assertThrows(
    () => new UploadQueue(dir.join("queue.db"), { engine }),
    Error,
    words,
  );
  const after = snapshot(dir);
  assertEquals(Object.keys(after), Object.keys(before));
  // Not by assertEquals(), which would show the bytes.
  for (const name of Object.keys(before)) {
    // SQLite's scratch paper, good for nothing once nobody has it open.
    if (name.endsWith("-shm")) continue;
    assertEquals(after[name]![0], before[name]![0], name);
    assert(after[name]![1] === before[name]![1], `${name} was changed`);
  }
}

testOnEachEngine(
  "a queue of a newer version is refused and left untouched",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    new UploadQueue(path, { engine }).close();
    {
      using database = openDatabase(path, { engine });
      database.exec("PRAGMA user_version = 2");
    }
    assertRefused(
      dir,
      engine,
      "it has version 2 and this program knows up to 1",
    );
  },
);

testOnEachEngine(
  "a queue of a newer version is left untouched with what is in its -wal",
  async (engine) => {
    await using dir = new TempDir();
    await using other = new TempDir();
    const path = other.join("queue.db");
    using queue = new UploadQueue(path, { engine });
    using database = openDatabase(path, { engine });
    database.exec("PRAGMA user_version = 2");
    queue.enqueue("/captures/new");
    // As a crash leaves it: the version is still in the -wal.
    for (const end of ["", "-wal", "-shm"]) {
      Deno.copyFileSync(path + end, dir.join(`queue.db${end}`));
    }
    assert(Deno.statSync(dir.join("queue.db-wal")).size > 0);
    assertRefused(dir, engine, "it has version 2");
  },
);

testOnEachEngine(
  "another program's database is refused and left untouched",
  async (engine) => {
    await using dir = new TempDir();
    {
      using database = openDatabase(dir.join("queue.db"), { engine });
      database.exec("CREATE TABLE moz_places (id)");
    }
    if (POSIX) Deno.chmodSync(dir.join("queue.db"), 0o644);
    assertRefused(dir, engine, 'another program (table "moz_places")');
  },
);

testOnEachEngine(
  "another program's database is told by more than its version or a table's name",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    const make = (sql: string) => {
      using database = openDatabase(path, { engine });
      database.exec(sql);
    };
    make("PRAGMA user_version = 1; CREATE TABLE captures (id)");
    assertRefused(dir, engine, 'another program (table "captures")');
    Deno.removeSync(path);
    make("CREATE TABLE queue (job, state)");
    assertRefused(dir, engine, 'another program (table "queue")');
  },
);

testOnEachEngine(
  "a file that is no database is refused as damaged, and left untouched",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.write("queue.db", "This is a text. ".repeat(1000));
    assertRefused(dir, engine, `Cannot open the queue "${path}"`);
    const error = assertThrows(
      () => new UploadQueue(path, { engine }),
      DatabaseError,
    );
    assertEquals(error.fault, "damaged");
  },
);

testOnEachEngine(
  "a directory is refused, and stays as it is",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    Deno.mkdirSync(path, { mode: 0o755 });
    const { mode } = Deno.statSync(path);
    assertThrows(
      () => new UploadQueue(path, { engine }),
      Error,
      "it is a directory, expected a file",
    );
    assertEquals(Deno.statSync(path).mode, mode);
  },
);

testOnEachEngine(
  "a queue below a regular file cannot be created, and says where",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("file", "queue.db");
    dir.write("file", "");
    assertThrows(
      () => new UploadQueue(path, { engine }),
      Error,
      `Cannot open the queue "${path}"`,
    );
  },
);

testOnEachEngine("an empty file becomes a queue", async (engine) => {
  await using dir = new TempDir();
  using queue = new UploadQueue(dir.write("queue.db", ""), { engine });
  assertEquals(queue.getStats().pending, 0);
});

testOnEachEngine(
  "missing folders above a queue are created, for its user alone",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("a", "b", "queue.db");
    new UploadQueue(path, { engine }).close();
    assert(Deno.statSync(path).isFile);
    if (!POSIX) return;
    for (const folder of [dir.join("a"), dir.join("a", "b")]) {
      assertEquals(Deno.statSync(folder).mode! & 0o777, 0o700);
    }
  },
);

testOnEachEngine(
  "an older queue that others may read is closed to them, its journal included",
  async (engine) => {
    if (!POSIX) return;
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    new UploadQueue(path, { engine }).close();
    Deno.chmodSync(path, 0o644);
    using queue = new UploadQueue(path, { engine });
    queue.enqueue("/captures/private");
    for (const end of ["", "-wal", "-shm"]) {
      assertEquals(Deno.statSync(path + end).mode! & 0o777, 0o600, end);
    }
  },
);

testOnEachEngine(
  "what is put into a queue that was replaced is not said to be kept",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    using queue = new UploadQueue(path, { engine });
    for (const end of ["", "-wal", "-shm"]) {
      Deno.renameSync(path + end, dir.join(`set aside${end}`));
    }
    const enqueue = () => queue.enqueue("/captures/lost");
    assertThrows(enqueue, DatabaseError, "was removed or replaced meanwhile");
    using replacement = new UploadQueue(path, { engine });
    assertThrows(enqueue, DatabaseError, "was removed or replaced meanwhile");
    assertEquals(replacement.getStats().pending, 0);
  },
);

testOnEachEngine(
  "a queue that lacks a table, a column, an index or a trigger is damaged",
  async (engine) => {
    await using dir = new TempDir();
    const whole = dir.join("whole.db");
    new UploadQueue(whole, { engine }).close();
    const names = OBJECTS.map((sql) =>
      /^CREATE (?:UNIQUE )?(TABLE|INDEX|TRIGGER) (\w+)/.exec(sql)!
    );
    const changes = [
      ...names.map(([, kind, name]) => `DROP ${kind} ${name}`),
      "ALTER TABLE captures DROP COLUMN last_error",
    ];
    for (const sql of changes) {
      const path = dir.join("queue.db");
      Deno.copyFileSync(whole, path);
      {
        using database = openDatabase(path, { engine });
        database.exec(sql);
      }
      const open = () => new UploadQueue(path, { engine }).close();
      const { fault } = assertThrows(
        open,
        DatabaseError,
        "it lacks CREATE",
        sql,
      );
      assertEquals(fault, "damaged", sql);
    }
  },
);

testOnEachEngine(
  "the disk has what a transaction wrote when it returns",
  async (engine) => {
    await using dir = new TempDir();
    using file = new QueueFile(dir.join("queue.db"), { engine });
    const pragma = (name: string) =>
      Object.values(file.database.prepare(`PRAGMA ${name}`).get()!)[0];
    assertEquals(pragma("journal_mode"), "wal");
    assertEquals(pragma("synchronous"), 2);
    // Without it macOS leaves the write in the disk's own memory.
    assertEquals(pragma("fullfsync"), 1);
  },
);

testOnEachEngine(
  "a queue that another process holds locked says so, has done nothing, and goes on afterwards",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    using queue = new UploadQueue(path, { engine, busyTimeoutMs: 1 });
    const [first, second] = [queue.enqueue("/c/1"), queue.enqueue("/c/2")];
    queue.markUploading(first);
    const before = queue.captures().toArray();
    using other = openDatabase(path, { engine });
    other.exec("BEGIN EXCLUSIVE");
    const calls = [
      () => queue.enqueue("/c/3"),
      () => queue.claim(1),
      () => queue.complete([{ id: first, kind: "delivered" }]),
      () => queue.recover(),
      () => queue.remove([second]),
      () => queue.setAgentState(queue.getAgentState()),
      () =>
        queue.knownContent(
          { path: "/c/1", identity: { size: 1, mtimeMs: 1 } },
          "5a",
        ),
    ];
    for (const call of calls) {
      assertEquals(assertThrows(call, DatabaseError).fault, "busy", `${call}`);
    }
    assertEquals(queue.captures().toArray(), before);
    // It can even be opened.
    using again = new UploadQueue(path, { engine, busyTimeoutMs: 1 });
    assertEquals(again.getStats().pending, 1);
    other.exec("COMMIT");
    for (const call of calls) call();
    assertEquals(queue.getStats().delivered, 1);
  },
);

testOnEachEngine(
  "a queue whose file was emptied under another process is busy as soon as any other",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("queue.db");
    Deno.writeFileSync(path, new Uint8Array());
    using other = openDatabase(path, { engine });
    // As an agent does for as long as it has the queue open.
    other.exec("BEGIN");
    other.prepare("SELECT * FROM sqlite_master").all();
    const open = () => new UploadQueue(path, { engine, busyTimeoutMs: 500 });
    assertEquals(assertThrows(open, DatabaseError).fault, "busy");
  },
);

testOnEachEngine(
  "a queue that has given its memory back goes on",
  async (engine) => {
    await using dir = new TempDir();
    using queue = new UploadQueue(dir.join("queue.db"), { engine });
    queue.enqueue("/captures/1");
    queue.freeMemory();
    queue.enqueue("/captures/2");
    assertEquals(queue.getStats().pending, 2);
  },
);
