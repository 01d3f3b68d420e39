/**
 * Rows with values that the schema forbids, written by a program that bypassed its
 * checks: they are set aside as `failed`, so that they hold up no other.
 *
 * @module
 */

import { newCaptureId } from "../capture/capture_id.ts";
import { toCapture } from "./capture_row.ts";
import type { Row } from "./sqlite.ts";
import type { Statements } from "./statements.ts";
import { completeOne, insertOne } from "./transitions.ts";

/** Replaces a row that cannot be read by one that can, and is `failed`. */
export function setAside(sql: Statements, row: Row, nowMs: number): void {
  const { id, createdAt, identity, lastError, ...rest } = toCapture(row);
  const createdAtMs = Date.parse(createdAt);
  const capture = { ...rest, createdAtMs, ...(identity && { identity }) };
  // As text: JavaScript cannot hold every number that a row can have.
  sql.removeRow.run(String(row.rowid));
  const newId = [id, newCaptureId()]
    .find((id) => insertOne(sql, { ...capture, id }, createdAtMs))!;
  completeOne(sql, { id: newId, kind: "discard", error: lastError! }, nowMs);
}

/** Sets all such rows aside, forgets those of other tables; returns whether there were any. */
export function setAllAside(sql: Statements, nowMs: number): boolean {
  const rows = sql.oddRows.all();
  for (const row of rows) setAside(sql, row, nowMs);
  return rows.length + sql.forgetOddAttempts.run() +
      sql.forgetOddWatched.run() > 0;
}
