/**
 * Every SQL statement of the queue.
 *
 * @module
 */

import type { Connection, Statement } from "./database.ts";

/** A charged capture waits this long the first time, twice as long each further time. */
export const RETRY_DELAY_MS = 60_000;
/** The longest that a charged capture waits. */
export const MAX_RETRY_DELAY_MS = 3_600_000;
/** With this many charged attempts a capture is `failed`. */
export const MAX_ATTEMPTS = 10;

const WAITING = "status = 'pending' AND due_at IS NOT NULL";

const AGAIN =
  "UPDATE captures SET status = 'pending', due_at = NULL, attempts = 0, last_error = NULL";

/** An attempt began when the capture was marked; one that was not marked, now. */
const ATTEMPTED =
  "attempts = attempts + 1, last_error = ?, last_attempt = iif(status = 'uploading', last_attempt, ?)";

/** Their texts. Parameters have no numbers: older Denos take those for names. */
export const STATEMENTS = {
  sqliteVersion: "SELECT sqlite_version() AS version",
  // The agent may have found the spool's record first, and even delivered it.
  insert:
    `INSERT INTO captures (id, filepath, metadata_json, created_at, size, mtime_ms, spooled, watched)
     SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM delivered WHERE id = ?)
     ON CONFLICT (id) DO NOTHING`,
  ready:
    `SELECT * FROM captures WHERE status = 'pending' AND (due_at IS NOT NULL) = 0
     ORDER BY created_at, rowid LIMIT ?`,
  anyDue:
    `SELECT 1 FROM captures WHERE ${WAITING} AND (due_at <= ? OR due_at > ?) LIMIT 1`,
  promote:
    `UPDATE captures SET due_at = NULL WHERE ${WAITING} AND (due_at <= ? OR due_at > ?)`,
  firstDue:
    `SELECT due_at FROM captures WHERE ${WAITING} ORDER BY due_at LIMIT 1`,
  markUploading:
    `UPDATE captures SET status = 'uploading', due_at = NULL, last_attempt = ?
     WHERE id = ? AND status = 'pending'`,
  deliver:
    `INSERT OR IGNORE INTO delivered (id, filepath, size, mtime_ms, server_id, delivered_at, watched)
     SELECT id, filepath, coalesce(?, size), coalesce(?, mtime_ms), ?, ?, watched
     FROM captures WHERE id = ?`,
  dismiss: `INSERT OR REPLACE INTO dismissed (filepath, size, mtime_ms)
     SELECT filepath, size, mtime_ms FROM captures WHERE id = ? AND watched = 1`,
  delete: "DELETE FROM captures WHERE id = ?",
  charge: `UPDATE captures SET ${ATTEMPTED},
       status = iif(attempts + 1 >= ${MAX_ATTEMPTS}, 'failed', 'pending'),
       due_at = iif(attempts + 1 >= ${MAX_ATTEMPTS}, NULL,
         ? + min(${RETRY_DELAY_MS} << min(attempts, 20), ${MAX_RETRY_DELAY_MS}))
     WHERE id = ? AND status <> 'failed'`,
  reject: `UPDATE captures SET ${ATTEMPTED}, status = 'failed', due_at = NULL
     WHERE id = ? AND status <> 'failed'`,
  release:
    `UPDATE captures SET status = 'pending', last_error = coalesce(?, last_error), due_at = ?
     WHERE id = ? AND status = 'uploading'`,
  recover:
    "UPDATE captures SET status = 'pending', due_at = NULL WHERE status = 'uploading'",
  counts: "SELECT status, n FROM counts WHERE status <> 'spooled bytes'",
  spooledBytes: "SELECT n FROM counts WHERE status = 'spooled bytes'",
  oldest:
    `SELECT created_at FROM captures WHERE status = ? AND (due_at IS NOT NULL) = ?
     ORDER BY created_at LIMIT 1`,
  oldFailed:
    "SELECT id FROM captures WHERE status = 'failed' AND coalesce(last_attempt, created_at) < ?",
  list: `SELECT * FROM captures WHERE status = ? AND (due_at IS NOT NULL) = ?
     ORDER BY created_at, rowid LIMIT ?`,
  get: "SELECT * FROM captures WHERE id = ?",
  spooledAfter:
    "SELECT rowid, * FROM captures WHERE rowid > ? AND spooled = 1 ORDER BY rowid LIMIT ?",
  retryOne: `${AGAIN} WHERE id = ? AND status <> 'uploading'`,
  failedIds: "SELECT id FROM captures WHERE status = 'failed'",
  retryFailed: `${AGAIN} WHERE status = 'failed'`,
  retryableIds: "SELECT id FROM captures WHERE status <> 'uploading'",
  retryAll: `${AGAIN} WHERE status <> 'uploading'`,
  makeAllDue: `UPDATE captures SET due_at = NULL WHERE ${WAITING}`,
  watchedQueued:
    "SELECT 1 FROM captures WHERE watched = 1 AND filepath = ? AND size IS ? AND mtime_ms IS ?",
  watchedDelivered:
    "SELECT 1 FROM delivered WHERE watched = 1 AND filepath = ? AND size IS ? AND mtime_ms IS ?",
  watchedDismissed:
    "SELECT 1 FROM dismissed WHERE filepath = ? AND size IS ? AND mtime_ms IS ?",
  wasDelivered: "SELECT 1 FROM delivered WHERE id = ?",
  quickCheck: "PRAGMA quick_check(1)",
  dataVersion: "PRAGMA data_version",
  bringIn: "PRAGMA wal_checkpoint(TRUNCATE)",
  agent: "SELECT * FROM agent",
  setAgent:
    `UPDATE agent SET pid = ?, server_url = ?, server_state = ?, server_reason = ?, server_since = ?`,
  requestSync: "UPDATE agent SET sync_requested = sync_requested + 1",
  completeSync: "UPDATE agent SET sync_completed = ?",
};

/** The statements by name, prepared. */
export type Statements = Record<keyof typeof STATEMENTS, Statement>;

/** Prepares all statements, once for a connection: preparing per call leaks in one engine. */
export function prepareAll(database: Connection): Statements {
  const prepared = Object.entries(STATEMENTS)
    .map(([name, sql]) => [name, database.prepare(sql)]);
  return Object.fromEntries(prepared);
}
