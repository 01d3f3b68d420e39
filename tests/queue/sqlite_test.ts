import { assert, assertEquals, assertThrows } from "@std/assert";
import { DatabaseError, openDatabase } from "../../sync/queue/sqlite.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** The error that `act` must throw, by what is wrong. */
function faultOf(act: () => unknown): string {
  return assertThrows(act, DatabaseError).fault;
}

testOnEachEngine(
  "openDatabase() keeps every value unchanged",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("values.db");
    const values = [
      null,
      0,
      -1,
      2 ** 31,
      -(2 ** 31) - 1,
      1_800_000_000_123,
      -62_135_596_800_000,
      Number.MAX_SAFE_INTEGER,
      1.5,
      "",
      "door",
      "Tür \u{1F4F7} \"quoted\" 'single'\nline",
    ];
    {
      using database = openDatabase(path, { engine });
      database.exec("CREATE TABLE t (n INTEGER PRIMARY KEY, value)");
      const insert = database.prepare("INSERT INTO t (value) VALUES (?)");
      for (const value of values) assertEquals(insert.run(value), 1);
    }
    using database = openDatabase(path, { engine });
    const rows = database.prepare("SELECT value FROM t ORDER BY n").all();
    assertEquals(rows.map((row) => row.value), values);
  },
);

testOnEachEngine(
  "a statement gives one row, all rows, or none",
  async (engine) => {
    await using dir = new TempDir();
    using database = openDatabase(dir.join("rows.db"), { engine });
    database.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2), (3)");
    const above = database.prepare("SELECT x FROM t WHERE x > ? ORDER BY x");
    assertEquals(above.get(1)?.x, 2);
    assertEquals(above.all(1).map(({ x }) => x), [2, 3]);
    assertEquals(above.get(3), undefined);
    assertEquals(above.all(3), []);
    assertEquals(database.prepare("DELETE FROM t WHERE x < ?").run(3), 2);
  },
);

testOnEachEngine(
  "transaction() undoes everything if its body throws",
  async (engine) => {
    await using dir = new TempDir();
    using database = openDatabase(dir.join("undo.db"), { engine });
    database.exec("CREATE TABLE t (x)");
    const insert = database.prepare("INSERT INTO t VALUES (?)");
    assertThrows(
      () =>
        database.transaction(() => {
          insert.run(1);
          throw new RangeError("no further");
        }),
      RangeError,
      "no further",
    );
    assertEquals(database.transaction(() => insert.run(2)), 1);
    assertEquals(database.prepare("SELECT x FROM t").all().length, 1);
  },
);

testOnEachEngine(
  "close() works after a statement that failed, and twice",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("failed.db");
    const database = openDatabase(path, { engine });
    database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x NOT NULL)");
    const insert = database.prepare("INSERT INTO t VALUES (?)");
    assertEquals(faultOf(() => insert.run(null)), "other");
    database.close();
    database.close();
    // Whoever closes a database last removes its -wal: it is closed indeed.
    assertEquals([...Deno.readDirSync(dir.path)].map(({ name }) => name), [
      "failed.db",
    ]);
  },
);

testOnEachEngine("a file that is no database is damaged", async (engine) => {
  await using dir = new TempDir();
  const path = dir.write("text.db", "Not a database, but a text. ".repeat(100));
  using database = openDatabase(path, { engine });
  const read = () => database.prepare("PRAGMA user_version").get();
  assertEquals(faultOf(read), "damaged");
});

testOnEachEngine(
  "a file cut short is damaged, and readable only with tolerance",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("short.db");
    {
      using database = openDatabase(path, { engine });
      database.exec("CREATE TABLE t (x)");
      const insert = database.prepare("INSERT INTO t VALUES (?)");
      database.transaction(() => {
        for (let n = 0; n < 1000; n++) insert.run("x".repeat(100));
      });
    }
    Deno.truncateSync(path, Math.floor(Deno.statSync(path).size / 2));
    const readAll = (tolerant: boolean) => {
      using database = openDatabase(path, { engine, readonly: true, tolerant });
      return database.prepare("SELECT x FROM t LIMIT 10").all().length;
    };
    assertEquals(faultOf(() => readAll(false)), "damaged");
    assertEquals(readAll(true), 10);
  },
);

testOnEachEngine(
  "a database that another connection holds on to is busy, and can be used when it lets go",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("busy.db");
    using first = openDatabase(path, { engine });
    first.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (x)");
    using second = openDatabase(path, { engine, busyTimeoutMs: 1 });
    const insert = second.prepare("INSERT INTO t VALUES (1)");
    const count = second.prepare("SELECT count(*) AS n FROM t");
    const add = () => second.transaction(() => insert.run());
    for (const hold of ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"]) {
      first.exec(hold);
      for (let n = 0; n < 3; n++) assertEquals(faultOf(add), "busy");
      // Whoever only reads is not kept from it.
      const before = Number(count.get()!.n);
      first.exec("COMMIT");
      assertEquals(add(), 1);
      assertEquals(count.get()!.n, before + 1);
    }
  },
);

testOnEachEngine(
  "a database that may not grow is full, and works again with room",
  async (engine) => {
    await using dir = new TempDir();
    using database = openDatabase(dir.join("full.db"), { engine });
    database.exec("CREATE TABLE t (x); PRAGMA max_page_count = 3");
    const insert = database.prepare("INSERT INTO t VALUES (?)");
    const add = () =>
      database.transaction(() => insert.run("x".repeat(20_000)));
    assertEquals(faultOf(add), "full");
    database.exec("PRAGMA max_page_count = 100");
    assertEquals(add(), 1);
  },
);

testOnEachEngine(
  "a database opened for reading cannot be written",
  async (engine) => {
    await using dir = new TempDir();
    const path = dir.join("read.db");
    const missing = () => openDatabase(path, { engine, readonly: true });
    assertEquals(
      faultOf(() => missing().prepare("PRAGMA user_version")),
      "other",
    );
    openDatabase(path, { engine }).exec("CREATE TABLE t (x)");
    using database = openDatabase(path, { engine, readonly: true });
    assertEquals(faultOf(() => database.exec("DELETE FROM t")), "other");
    assert(database.prepare("SELECT count(*) AS n FROM t").get());
  },
);
