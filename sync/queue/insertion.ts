import { newCaptureId } from "../capture/capture_id.ts";
import type { NewCapture } from "./capture_row.ts";
import type { SqlValue } from "./sqlite.ts";
import { encodeMetadata } from "../capture/metadata.ts";
import { type Statements, TOGETHER } from "./statements.ts";
import type { Tally } from "./tally.ts";

/** Captures that are to be put into the queue. */
export interface Insertion {
  ids: string[];
  rows: SqlValue[][];
  /** Whether the ids were made just now: then no row can have one of them. */
  areNew: boolean;
}

/**
 * Returns a capture's row, as the parameters of the statements.
 *
 * @throws as `encodeMetadata` does.
 */
export function rowOf(
  id: string,
  capture: NewCapture,
  nowMs: number,
): SqlValue[] {
  return [
    id,
    capture.filepath,
    encodeMetadata(capture.metadata),
    capture.createdAtMs ?? nowMs,
    capture.size ?? null,
    capture.mtimeMs ?? null,
    capture.spooled ? 1 : 0,
    capture.watched ? 1 : 0,
  ];
}

/** @throws as `encodeMetadata` does. */
export function insertionOf(
  captures: NewCapture[],
  nowMs: number,
): Insertion {
  const ids = captures.map(({ id }) => id ?? newCaptureId());
  const rows = captures.map((capture, n) => rowOf(ids[n]!, capture, nowMs));
  const areNew = captures.every(({ id }) => id === undefined);
  return { ids, rows, areNew };
}

/**
 * Puts captures into the queue, in their order. One whose id is queued or
 * delivered already stays as it is.
 */
export function insertAll(
  sql: Statements,
  { rows, areNew }: Insertion,
  tally: Tally,
): void {
  if (areNew) insertNew(sql, rows);
  const inserted = areNew
    ? rows
    : rows.filter((row) => sql.insert.run(...row, row[ID]!) > 0);
  tally.add("pending", inserted.length);
  for (const row of inserted) {
    if (row[SPOOLED] === 1) tally.add("spooled bytes", Number(row[SIZE]));
  }
}

/** Where a row has what is needed again. */
const [ID, SIZE, SPOOLED] = [0, 4, 6] as const;

function insertNew(sql: Statements, rows: SqlValue[][]): void {
  let at = 0;
  for (; at + TOGETHER <= rows.length; at += TOGETHER) {
    sql.insertNewMany.run(...rows.slice(at, at + TOGETHER).flat());
  }
  for (const row of rows.slice(at)) sql.insertNew.run(...row);
}
