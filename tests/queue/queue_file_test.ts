import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Engine, openDatabase } from "../../sync/queue/sqlite.ts";
import { DatabaseError } from "../../sync/queue/database_error.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { STATEMENTS } from "../../sync/queue/statements.ts";
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
      database.exec("PRAGMA user_version = 3");
    }
    assertRefused(
      dir,
      engine,
      "it has version 3 and this program knows up to 2",
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
    database.exec("PRAGMA user_version = 3");
    queue.enqueue("/captures/new");
    // As a crash leaves it: the version is still in the -wal.
    for (const end of ["", "-wal", "-shm"]) {
      Deno.copyFileSync(path + end, dir.join(`queue.db${end}`));
    }
    assert(Deno.statSync(dir.join("queue.db-wal")).size > 0);
    assertRefused(dir, engine, "it has version 3");
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
      "it is not a file",
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
    assertThrows(enqueue, Error, "was replaced meanwhile");
    using replacement = new UploadQueue(path, { engine });
    assertThrows(enqueue, Error, "was replaced meanwhile");
    assertEquals(replacement.getStats().pending, 0);
  },
);

testOnEachEngine(
  "a queue that lacks a column, or an index, view or trigger that is relied on, is damaged",
  async (engine) => {
    await using dir = new TempDir();
    const whole = dir.join("whole.db");
    new UploadQueue(whole, { engine }).close();
    const columns = columnsOf(whole, engine)
      .map(([table, column]) =>
        // Views and triggers go on naming what is gone.
        `PRAGMA legacy_alter_table = ON; PRAGMA writable_schema = ON;
         ALTER TABLE ${table} RENAME COLUMN ${column} TO gone`
      );
    const indexes = Object.values(STATEMENTS)
      .flatMap((sql) => [...sql.matchAll(/INDEXED BY (\w+)/g)])
      .map(([, index]) => `DROP INDEX ${index}`);
    assert(columns.length > 30 && indexes.length > 1);
    const others = ["DROP VIEW arrivals", "DROP TRIGGER arrive"];
    for (const sql of new Set([...columns, ...indexes, ...others])) {
      const path = dir.join("queue.db");
      Deno.copyFileSync(whole, path);
      {
        using database = openDatabase(path, { engine });
        database.exec(sql);
      }
      const open = () => new UploadQueue(path, { engine }).close();
      const { fault } = assertThrows(open, DatabaseError, "is damaged", sql);
      assertEquals(fault, "damaged", sql);
    }
  },
);

/** Every table of a queue, with every one of its columns. */
function columnsOf(path: string, engine: Engine): [string, string][] {
  using database = openDatabase(path, { engine });
  return database.prepare(
    `SELECT m.name AS name, c.name AS column_name
     FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'`,
  ).all().map((row) => [String(row.name), String(row.column_name)]);
}

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
