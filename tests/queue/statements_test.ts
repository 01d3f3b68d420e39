import { assert, assertEquals } from "@std/assert";
import { type Connection, openDatabase } from "../../sync/queue/sqlite.ts";
import { RECOUNT } from "../../sync/queue/schema.ts";
import { STATEMENTS } from "../../sync/queue/statements.ts";
import { testOnEachEngine } from "../helpers/engines.ts";
import { QueueFixture } from "../helpers/queue_fixture.ts";

const BY_AGE = /^SEARCH captures USING .*INDEX captures_by_age \(status=\?/;
const READY =
  /^SEARCH captures USING .*INDEX captures_by_age \(status=\? AND <expr>=\?\)$/;
const WAITING = /^SEARCH captures USING .*INDEX captures_waiting \(due_at>\?/;
const ONE =
  /^SEARCH captures USING INDEX sqlite_autoindex_captures_1 \(id=\?\)$/;

/** What is gone through is what was named; the rest is looked up, once for each use of the result. */
const KNOWN =
  /^(CO-ROUTINE .*\nSCAN \d+ CONSTANT ROWS\n)?SCAN .*(\nCORRELATED SCALAR SUBQUERY \d+\n(SEARCH captures USING INDEX captures_watched|SEARCH delivered USING INDEX delivered_watched|SEARCH dismissed USING PRIMARY KEY) \(filepath=\?\)){3,6}$/;

/**
 * What SQLite may say that it does for the statements of the agent's daily work:
 * one line, for going straight to the rows, by an index in whose order they are
 * wanted. A second line would be a scan, a sort or a subquery, but where several
 * captures are named.
 */
const PLANS: Partial<Record<keyof typeof STATEMENTS, RegExp>> = {
  ready: READY,
  list: READY,
  oldest: READY,
  anyDueUntil: WAITING,
  anyDueAfter: WAITING,
  promoteUntil: WAITING,
  promoteAfter: WAITING,
  makeAllDue: WAITING,
  firstDue: WAITING,
  recover: BY_AGE,
  oldFailed: BY_AGE,
  failedIds: BY_AGE,
  markUploading: ONE,
  // What is gone through is what was named.
  deliver:
    /^(CO-ROUTINE .*\nSCAN \d+ CONSTANT ROWS\n)?SCAN .*\nSEARCH captures USING INDEX sqlite_autoindex_captures_1 \(id=\?\)$/,
  claim:
    /^SEARCH captures USING INTEGER PRIMARY KEY \(rowid=\?\)\nLIST SUBQUERY \d+\nSEARCH captures USING .*INDEX captures_by_age \(status=\? AND <expr>=\?\)(\nCREATE BLOOM FILTER)?$/,
  countOf: ONE,
  delete: ONE,
  charge: ONE,
  reject: ONE,
  release: ONE,
  get: ONE,
  knownWatched: KNOWN,
  wasDelivered: /^SEARCH delivered USING PRIMARY KEY \(id=\?\)$/,
  spooledBytes: /^SEARCH counts USING PRIMARY KEY \(status=\?\)$/,
};

/** What SQLite says of how it would do it. */
function planOf(database: Connection, sql: string): string {
  const parameters = Array.from(sql.matchAll(/\?/g), () => 1);
  return database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...parameters)
    .map(({ detail }) => detail).join("\n");
}

function assertPlans(database: Connection): void {
  for (const [name, expected] of Object.entries(PLANS)) {
    const plan = planOf(database, STATEMENTS[name as keyof typeof STATEMENTS]);
    assert(expected.test(plan), `${name}: ${plan}`);
  }
}

/** Puts captures into the table, past the queue. */
function insert(database: Connection, count: number, dueAt: number | null) {
  database.prepare(
    `WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
     INSERT INTO captures (id, filepath, metadata_json, created_at, due_at)
     SELECT hex(randomblob(16)), '/captures/' || n, '{}', n, ? FROM n`,
  ).run(count, dueAt);
  database.exec(RECOUNT);
}

testOnEachEngine(
  "no statement of the agent's daily work scans or sorts",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    using database = openDatabase(fixture.path, { engine });
    assertPlans(database);
  },
);

testOnEachEngine(
  "a hundred thousand waiting captures are not gone through for the ten behind them",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    const { queue } = fixture;
    using database = openDatabase(fixture.path, { engine });
    database.transaction(() => {
      insert(database, 100_000, fixture.nowMs + 60_000);
      insert(database, 1000, null);
    });
    // Even when SQLite has looked at the data, as it may any time.
    for (const prepare of ["", "ANALYZE"]) {
      database.exec(prepare);
      using reopened = openDatabase(fixture.path, { engine });
      assertPlans(reopened);
    }
    assertEquals(queue.getStats().pending, 101_000);
    assertEquals(queue.getPending().length, 10);
    assertEquals(queue.nextDueMs(), 60_000);
    assertEquals(queue.oldestPendingMs(), 1);
    fixture.wait(60);
    assertEquals(queue.getPending(2).map(({ filepath }) => filepath), [
      "/captures/1",
      "/captures/1",
    ]);
    assertEquals(queue.nextDueMs(), null);
  },
);

testOnEachEngine(
  "a plan without its index is told from one with it",
  async (engine) => {
    await using fixture = new QueueFixture(engine);
    using database = openDatabase(fixture.path, { engine });
    database.exec("DROP INDEX captures_by_age");
    const sql = STATEMENTS.ready.replace("INDEXED BY captures_by_age", "");
    const plan = planOf(database, sql);
    assert(!READY.test(plan), plan);
  },
);
