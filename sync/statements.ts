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

/**
 * Every statement of the queue, prepared once: preparing per call leaks in one
 * engine. Parameters have no numbers: the built-in engine of older Denos takes
 * those for names.
 */
export function prepareAll(database: Connection) {
  const prepare = (sql: string): Statement => database.prepare(sql);
  const waiting = "status = 'pending' AND due_at IS NOT NULL";
  const again =
    "UPDATE captures SET status = 'pending', due_at = NULL, attempts = 0, last_error = NULL";
  return {
    sqliteVersion: prepare("SELECT sqlite_version() AS version"),
    insert: prepare(
      // The agent may have found the spool's record first, and even delivered it.
      `INSERT INTO captures (id, filepath, metadata_json, created_at, size, mtime_ms, spooled, watched)
       SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM delivered WHERE id = ?)
       ON CONFLICT (id) DO NOTHING`,
    ),
    ready: prepare(
      `SELECT * FROM captures WHERE status = 'pending' AND (due_at IS NOT NULL) = 0
       ORDER BY created_at, rowid LIMIT ?`,
    ),
    anyDue: prepare(
      `SELECT 1 FROM captures WHERE ${waiting} AND (due_at <= ? OR due_at > ?) LIMIT 1`,
    ),
    promote: prepare(
      `UPDATE captures SET due_at = NULL WHERE ${waiting} AND (due_at <= ? OR due_at > ?)`,
    ),
    firstDue: prepare(
      `SELECT due_at FROM captures WHERE ${waiting} ORDER BY due_at LIMIT 1`,
    ),
    markUploading: prepare(
      `UPDATE captures SET status = 'uploading', due_at = NULL, last_attempt = ?
       WHERE id = ? AND status = 'pending'`,
    ),
    deliver: prepare(
      `INSERT OR IGNORE INTO delivered (id, filepath, size, mtime_ms, server_id, delivered_at, watched)
       SELECT id, filepath, coalesce(?, size), coalesce(?, mtime_ms), ?, ?, watched
       FROM captures WHERE id = ?`,
    ),
    delete: prepare("DELETE FROM captures WHERE id = ?"),
    charge: prepare(
      `UPDATE captures SET attempts = attempts + 1, last_error = ?, last_attempt = coalesce(last_attempt, ?),
         status = iif(attempts + 1 >= ${MAX_ATTEMPTS}, 'failed', 'pending'),
         due_at = iif(attempts + 1 >= ${MAX_ATTEMPTS}, NULL,
           ? + min(${RETRY_DELAY_MS} << min(attempts, 20), ${MAX_RETRY_DELAY_MS}))
       WHERE id = ? AND status <> 'failed'`,
    ),
    reject: prepare(
      `UPDATE captures SET attempts = attempts + 1, last_error = ?, status = 'failed', due_at = NULL
       WHERE id = ? AND status <> 'failed'`,
    ),
    release: prepare(
      `UPDATE captures SET status = 'pending', last_error = coalesce(?, last_error), due_at = ?
       WHERE id = ? AND status = 'uploading'`,
    ),
    recover: prepare(
      "UPDATE captures SET status = 'pending', due_at = NULL WHERE status = 'uploading'",
    ),
    counts: prepare(
      "SELECT status, n FROM counts WHERE status <> 'spooled bytes'",
    ),
    oldest: prepare(
      `SELECT created_at FROM captures WHERE status = ? AND (due_at IS NOT NULL) = ?
       ORDER BY created_at LIMIT 1`,
    ),
    oldFailed: prepare(
      "SELECT id FROM captures WHERE status = 'failed' AND coalesce(last_attempt, created_at) < ?",
    ),
    list: prepare(
      `SELECT * FROM captures WHERE status = ? AND (due_at IS NOT NULL) = ?
       ORDER BY created_at, rowid LIMIT ?`,
    ),
    get: prepare("SELECT * FROM captures WHERE id = ?"),
    retryOne: prepare(
      `${again} WHERE id = ? AND status <> 'uploading' RETURNING id`,
    ),
    retryFailed: prepare(`${again} WHERE status = 'failed' RETURNING id`),
    retryAll: prepare(`${again} WHERE status <> 'uploading' RETURNING id`),
    makeAllDue: prepare(`UPDATE captures SET due_at = NULL WHERE ${waiting}`),
    watchedQueued: prepare(
      "SELECT 1 FROM captures WHERE watched = 1 AND filepath = ? AND size IS ? AND mtime_ms IS ?",
    ),
    watchedDelivered: prepare(
      "SELECT 1 FROM delivered WHERE watched = 1 AND filepath = ? AND size IS ? AND mtime_ms IS ?",
    ),
    wasDelivered: prepare("SELECT 1 FROM delivered WHERE id = ?"),
    spooledBytes: prepare(
      "SELECT n FROM counts WHERE status = 'spooled bytes'",
    ),
    quickCheck: prepare("PRAGMA quick_check(1)"),
    dataVersion: prepare("PRAGMA data_version"),
    agent: prepare("SELECT * FROM agent"),
    setAgent: prepare(
      `UPDATE agent SET pid = ?, server_url = ?, server_state = ?, server_reason = ?, server_since = ?`,
    ),
    requestSync: prepare(
      "UPDATE agent SET sync_requested = sync_requested + 1",
    ),
    completeSync: prepare("UPDATE agent SET sync_completed = ?"),
  };
}
