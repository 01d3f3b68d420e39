import { newCaptureId } from "../capture/capture_id.ts";
import { tryTo } from "../host/try_to.ts";
import { UNREADABLE } from "./capture_row.ts";
import { columnsOf } from "./migrate.ts";
import { FIRST_DESIGN_COLUMNS, MIGRATE_FIRST_DESIGN } from "./schema.ts";
import {
  type Connection,
  hasFault,
  type Row,
  type SqlValue,
  type Statement,
} from "./sqlite.ts";

/** The result of reading one database. */
export interface CopiedRows {
  /** How many captures were not in the queue yet. */
  captures: number;
  /** Whether everything could be read. */
  complete: boolean;
  /** Whether it has all the tables of a queue, as far as its schema can be read. */
  hasTables: boolean;
}

/** The tables that are copied, of a queue and of the first design. */
const TABLES = ["delivered", "watched_files", "captures"];
const FIRST_DESIGN = ["queue"];

/** A watched file whose capture is lost is new: it is taken over again, unless the spool has it. */
const FORGET_LOST = `DELETE FROM watched_files WHERE state = 'queued'
  AND capture_id NOT IN (SELECT id FROM captures UNION ALL SELECT id FROM delivered)`;

/** How many rows are read at a time, as long as that works. */
const PAGE = 200;
/** After this many unreadable rows in a row, as a damaged page may hold, the steps get larger. */
const MAX_SINGLE = 100;

/**
 * Copies all readable rows of a damaged database into a sound queue. Rows that the
 * queue has already stay as they are, so that it may be done again.
 *
 * @param damaged Opened `tolerant` and for reading.
 */
export function copyRows(damaged: Connection, queue: Connection): CopiedRows {
  const isFirst = tryTo(() => damaged.prepare("SELECT 1 FROM queue"));
  let [complete, hasTables] = [true, true];
  const captures = queue.transaction(() => {
    const before = countCaptures(queue);
    queue.exec(`CREATE TABLE queue (${FIRST_DESIGN_COLUMNS.join(", ")})`);
    for (const table of isFirst ? FIRST_DESIGN : TABLES) {
      const columns = columnsOf(queue, table);
      const read = tryTo(() =>
        damaged.prepare(selectOf(damaged, table, columns))
      );
      hasTables &&= read !== undefined;
      complete = read !== undefined &&
        readAll(read, keeperOf(queue, table, columns)) && complete;
    }
    queue.exec(`
      DELETE FROM queue WHERE id IN (SELECT id FROM captures UNION ALL SELECT id FROM delivered);
      ${MIGRATE_FIRST_DESIGN}
      DELETE FROM captures WHERE id IN (SELECT id FROM delivered);
      ${FORGET_LOST}`);
    keepPause(damaged, queue);
    // Some may be known as delivered by now.
    return Math.max(countCaptures(queue) - before, 0);
  });
  return { captures, complete, hasTables };
}

/** Reads columns a page at a time; the table may have been made before there were all of them. */
function selectOf(
  damaged: Connection,
  table: string,
  columns: string[],
): string {
  const known = columnsOf(damaged, table);
  const read = columns.map((column) =>
    known.includes(column) ? column : `NULL AS ${column}`
  );
  return `SELECT rowid AS place, ${read.join(", ")} FROM ${table}
    WHERE rowid >= ? ORDER BY rowid LIMIT ?`;
}

/** A pause by a person stays in force, unless the queue has one of its own. */
function keepPause(damaged: Connection, queue: Connection): void {
  const pause = tryTo(() =>
    damaged.prepare("SELECT paused_since, paused_until FROM agent").get()
  );
  const values = [pause?.paused_since ?? null, pause?.paused_until ?? null];
  if (typeof values[0] !== "number" || !values.every(isUsable)) return;
  queue.prepare(`UPDATE agent SET paused_since = ?, paused_until = ?
    WHERE paused_since IS NULL`).run(...values as SqlValue[]);
}

function countCaptures(queue: Connection): number {
  return Number(queue.prepare("SELECT count(*) AS n FROM captures").get()!.n);
}

/**
 * Returns a function that inserts a row. A capture whose values are not of the types that
 * were ever written is kept as `failed`, with the reason; other rows are left out.
 */
function keeperOf(queue: Connection, table: string, columns: string[]) {
  const insertFailed = table === "captures" && queue.prepare(
    `INSERT OR IGNORE INTO captures
       (id, filepath, metadata_json, created_at, status, last_error)
     VALUES (?, ?, '{}', ?, 'failed', ?)`,
  );
  const failUnreadable = ({ id, filepath, created_at }: Row) => {
    if (!insertFailed) return;
    const isKept = typeof id === "string" && isUsable(id);
    insertFailed.run(
      isKept ? id : newCaptureId(),
      typeof filepath === "string" ? filepath : "",
      typeof created_at === "number" ? created_at : 0,
      UNREADABLE,
    );
  };
  const places = columns.map(() => "?").join(", ");
  const insert = queue.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.join(", ")}) VALUES (${places})`,
  );
  const inserts = (values: SqlValue[]): boolean => {
    try {
      return insert.run(...values) > 0;
    } catch (error) {
      // Of a type that is not the column's.
      if (!hasFault(error, "other")) throw error;
      return false;
    }
  };
  return (row: Row) => {
    const values = columns.map((column) => row[column] ?? null);
    if (values.every(isUsable) && inserts(values as SqlValue[])) return;
    failUnreadable(row);
  };
}

function isUsable(value: unknown): boolean {
  return value === null || ["string", "number"].includes(typeof value);
}

/** Hands every row over that can be read; returns whether all could. */
function readAll(read: Statement, keep: (row: Row) => void): boolean {
  let complete = true;
  let [from, limit, failures] = [0, PAGE, 0];
  while (from < Number.MAX_SAFE_INTEGER) {
    const rows = tryTo(() => read.all(from, limit));
    if (rows?.length === 0) return complete;
    const last = Number(rows?.at(-1)?.place ?? -1);
    // A damaged page can lead in circles.
    if (last >= from) {
      rows!.forEach(keep);
      [from, limit, failures] = [last + 1, PAGE, 0];
    } else if (limit > 1) {
      limit = 1;
    } else {
      // The row is lost; the spool may still have its capture.
      complete = false;
      from += 2 ** Math.max(failures - MAX_SINGLE, 0);
      failures++;
    }
  }
  return false;
}
