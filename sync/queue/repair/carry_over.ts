/**
 * What can be read of a damaged database goes into a sound one.
 *
 * @module
 */

import type { Connection, Row, SqlValue, Statement } from "../sqlite.ts";
import {
  FIRST_DESIGN_COLUMNS,
  MIGRATE_FIRST_DESIGN,
  RECOUNT,
} from "../schema.ts";

/** What was found in one database. */
export interface CarriedOver {
  /** How many captures were not in the queue yet. */
  captures: number;
  /** Whether everything could be read. */
  complete: boolean;
}

/** A table whose rows are carried over one by one. */
interface Table {
  name: string;
  /** What its rows are in order of. */
  key: "rowid" | "id" | "filepath";
  columns: readonly string[];
}

const LEDGER = [
  "id",
  "filepath",
  "size",
  "mtime_ms",
  "server_id",
  "delivered_at",
  "watched",
];

const CAPTURES = [
  "id",
  "filepath",
  "metadata_json",
  "created_at",
  "attempts",
  "last_attempt",
  "status",
  "due_at",
  "last_error",
  "size",
  "mtime_ms",
  "spooled",
  "watched",
];

const DISMISSED = ["filepath", "size", "mtime_ms"];

/** A queue's tables, and the first design's. */
const TABLES: readonly Table[] = [
  { name: "delivered", key: "id", columns: LEDGER },
  { name: "dismissed", key: "filepath", columns: DISMISSED },
  { name: "captures", key: "rowid", columns: CAPTURES },
];
const FIRST_DESIGN: readonly Table[] = [
  { name: "queue", key: "rowid", columns: FIRST_DESIGN_COLUMNS },
];

/** How many rows are read at a time, as long as that works. */
const PAGE = 200;
/** Gaps between readable rows are gone through row by row, up to this width. */
const MAX_GAP = 1_000_000;
/** Before and behind every key. */
const ENDS = {
  rowid: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  id: ["", "\u{10ffff}"],
  filepath: ["", "\u{10ffff}"],
} as const;

/**
 * Puts whatever rows can be read of a damaged database into a queue that is
 * sound. What the queue knows already stays as it is there, so that it may be
 * done again.
 *
 * @param damaged Opened `tolerant` and for reading.
 * @param queue A queue's database.
 */
export function carryOver(
  damaged: Connection,
  queue: Connection,
): CarriedOver {
  let complete = true;
  const captures = queue.transaction(() => {
    const before = countCaptures(queue);
    queue.exec(`CREATE TABLE queue (${FIRST_DESIGN_COLUMNS.join(", ")})`);
    for (const table of tablesOf(damaged)) {
      const insert = queue.prepare(insertInto(table));
      const keep = (row: Row) => {
        const values = table.columns.map((column) => row[column] ?? null);
        if (values.every(isUsable)) insert.run(...values);
      };
      complete = readAll(damaged, table, keep) && complete;
    }
    queue.exec(
      "DELETE FROM queue WHERE id IN (SELECT id FROM captures UNION ALL SELECT id FROM delivered)",
    );
    queue.exec(MIGRATE_FIRST_DESIGN);
    queue.exec("DELETE FROM captures WHERE id IN (SELECT id FROM delivered)");
    queue.exec(RECOUNT);
    return countCaptures(queue) - before;
  });
  return { captures, complete };
}

/** Where the schema itself cannot be read, there is nothing to be found either. */
function tablesOf(database: Connection): readonly Table[] {
  const first = tryPrepare(database, { any: "SELECT 1 FROM queue" });
  return first ? FIRST_DESIGN : TABLES;
}

function countCaptures(queue: Connection): number {
  return Number(
    queue.prepare("SELECT count(*) AS n FROM captures").get()!.n,
  );
}

function insertInto({ name, columns }: Table): string {
  const places = columns.map(() => "?").join(", ");
  return `INSERT OR IGNORE INTO ${name} (${
    columns.join(", ")
  }) VALUES (${places})`;
}

/** A blob was never written: it is damage. */
function isUsable(value: unknown): value is SqlValue {
  return value === null || typeof value === "string" ||
    typeof value === "number";
}

/** Hands every row over that can be read; returns whether all could. */
function readAll(
  database: Connection,
  table: Table,
  keep: (row: Row) => void,
): boolean {
  const { name, key, columns } = table;
  const select = `SELECT ${key} AS place, ${columns.join(", ")} FROM ${name}`;
  const [first, last] = ENDS[key];
  const statements = tryPrepare(database, {
    up: `${select} WHERE ${key} > ? ORDER BY ${key} LIMIT ?`,
    down: `${select} WHERE ${key} < ? ORDER BY ${key} DESC LIMIT ?`,
    one: `${select} WHERE ${key} = ?`,
  });
  if (!statements) return false;
  const { up, down, one } = statements;
  const upTo = readFrom(first, up, keep);
  if (upTo === "the end") return true;
  const downTo = readFrom(last, down, keep);
  if (typeof upTo === "number" && typeof downTo === "number") {
    readBetween(upTo, downTo, one, keep);
  }
  return false;
}

function tryPrepare<Name extends string>(
  database: Connection,
  texts: Record<Name, string>,
): Record<Name, Statement> | undefined {
  try {
    const entries = Object.entries<string>(texts)
      .map(([name, sql]) => [name, database.prepare(sql)]);
    return Object.fromEntries(entries);
  } catch {
    return undefined;
  }
}

/** Reads on from a place; returns the last place before what cannot be read, or "the end". */
function readFrom(
  start: string | number,
  statement: Statement,
  keep: (row: Row) => void,
): string | number {
  let place = start;
  // First by pages; then one by one, until it is the next row that cannot be read.
  for (const limit of [PAGE, 1]) {
    while (true) {
      const rows = tryRead(() => statement.all(place, limit));
      if (rows === undefined) break;
      rows.forEach(keep);
      if (rows.length === 0) return "the end";
      const next = rows.at(-1)!.place ?? place;
      // A damaged page can lead in circles.
      if (next === place || (next > place) !== (next > start)) return place;
      place = next;
    }
  }
  return place;
}

function tryRead(read: () => Row[]): Row[] | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function readBetween(
  before: number,
  behind: number,
  one: Statement,
  keep: (row: Row) => void,
): void {
  if (behind - before > MAX_GAP) return;
  for (let place = before + 1; place < behind; place++) {
    // What cannot be read is lost, but for its entry in the spool.
    tryRead(() => one.all(place))?.forEach(keep);
  }
}
