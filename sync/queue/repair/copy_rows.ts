import { columnsOf } from "../migrate.ts";
import { FIRST_DESIGN_COLUMNS, MIGRATE_FIRST_DESIGN } from "../schema.ts";
import {
  type Connection,
  hasFault,
  type Row,
  type SqlValue,
  type Statement,
} from "../sqlite.ts";

/** What was found in one database. */
export interface CopiedRows {
  /** How many captures were not in the queue yet. */
  captures: number;
  /** Whether everything could be read. */
  complete: boolean;
}

/** A table, and what its rows are in order of. */
interface Table {
  name: string;
  key: "rowid" | "id";
}

/** What is worth to be kept, of a queue and of the first design. */
const TABLES: readonly Table[] = [
  { name: "delivered", key: "id" },
  { name: "watched_files", key: "rowid" },
  { name: "captures", key: "rowid" },
];
const FIRST_DESIGN: readonly Table[] = [{ name: "queue", key: "rowid" }];

/** How many rows are read at a time, as long as that works. */
const PAGE = 200;
/** Gaps between readable rows are gone through row by row, up to this width. */
const MAX_GAP = 1_000_000;
/** Before and after every key. */
const ENDS = {
  rowid: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  id: ["", "\u{10ffff}"],
} as const;

/**
 * Puts whatever rows can be read of a damaged database into a queue that is
 * sound. What the queue knows already stays as it is there, so that it may be
 * done again.
 *
 * @param damaged Opened `tolerant` and for reading.
 */
export function copyRows(damaged: Connection, queue: Connection): CopiedRows {
  // Where the schema itself cannot be read, there is nothing to be found either.
  const isFirst = tryTo(() => damaged.prepare("SELECT 1 FROM queue"));
  let complete = true;
  const captures = queue.transaction(() => {
    const before = countCaptures(queue);
    queue.exec(`CREATE TABLE queue (${FIRST_DESIGN_COLUMNS.join(", ")})`);
    for (const table of isFirst ? FIRST_DESIGN : TABLES) {
      const columns = columnsOf(queue, table.name);
      const keep = keeperOf(queue, table, columns);
      complete = readAll(damaged, table, { columns, keep }) && complete;
    }
    queue.exec(`
      DELETE FROM queue WHERE id IN (SELECT id FROM captures UNION ALL SELECT id FROM delivered);
      ${MIGRATE_FIRST_DESIGN}
      DELETE FROM captures WHERE id IN (SELECT id FROM delivered)`);
    return countCaptures(queue) - before;
  });
  return { captures, complete };
}

function countCaptures(queue: Connection): number {
  return Number(queue.prepare("SELECT count(*) AS n FROM captures").get()!.n);
}

/** Returns what puts a row into the queue, unless it is none that was ever written. */
function keeperOf(queue: Connection, { name }: Table, columns: string[]) {
  const places = columns.map(() => "?").join(", ");
  const insert = queue.prepare(
    `INSERT OR IGNORE INTO ${name} (${columns.join(", ")}) VALUES (${places})`,
  );
  return (row: Row) => {
    const values = columns.map((column) => row[column] ?? null);
    if (!values.every(isUsable)) return;
    try {
      insert.run(...values as SqlValue[]);
    } catch (error) {
      // Of a type that is not the column's.
      if (!hasFault(error, "other")) throw error;
    }
  };
}

function isUsable(value: unknown): boolean {
  return value === null || ["string", "number"].includes(typeof value);
}

/** Hands every row over that can be read; returns whether all could. */
function readAll(
  database: Connection,
  { name, key }: Table,
  { columns, keep }: { columns: string[]; keep: (row: Row) => void },
): boolean {
  const select = `SELECT ${key} AS place, ${columns.join(", ")} FROM ${name}`;
  const [up, down, one] = [
    `${select} WHERE ${key} > ? ORDER BY ${key} LIMIT ?`,
    `${select} WHERE ${key} < ? ORDER BY ${key} DESC LIMIT ?`,
    `${select} WHERE ${key} = ?`,
  ].map((sql) => tryTo(() => database.prepare(sql)));
  if (!up || !down || !one) return false;
  const [first, last] = ENDS[key];
  const upTo = readFrom(first, up, keep);
  if (upTo === "the end") return true;
  const downTo = readFrom(last, down, keep);
  if (typeof upTo !== "number" || typeof downTo !== "number") return false;
  if (downTo - upTo > MAX_GAP) return false;
  for (let place = upTo + 1; place < downTo; place++) {
    // What cannot be read is lost, but for its entry in the spool.
    tryTo(() => one.all(place))?.forEach(keep);
  }
  return false;
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
      const rows = tryTo(() => statement.all(place, limit));
      if (rows === undefined) break;
      rows.forEach(keep);
      if (rows.length === 0) return "the end";
      const next = rows.at(-1)!.place as string | number;
      // A damaged page can lead in circles.
      if (next === place || (next > place) !== (next > start)) return place;
      place = next;
    }
  }
  return place;
}

function tryTo<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
