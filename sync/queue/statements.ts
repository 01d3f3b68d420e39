/**
 * Every SQL statement of the queue's daily work. Parameters have no numbers: older
 * Denos take those for names.
 *
 * @module
 */

import { CAPTURE_COLUMNS } from "./capture_row.ts";
import type { Connection, Statement } from "./sqlite.ts";

/** Captures in order of age, by status and turn. SQLite might take another index, and sort. */
const BY_TURN = "captures INDEXED BY captures_by_turn";

/** The captures that wait. SQLite would rather go through all that are pending. */
const WAITING =
  "captures INDEXED BY captures_waiting WHERE status = 'pending' AND due_at IS NOT NULL";

/** The ready captures of one turn, but for those with a priority. */
const READY = `SELECT ${CAPTURE_COLUMNS} FROM ${BY_TURN}
  WHERE status = 'pending' AND turn = ? AND priority <= 0`;

/** The captures that a person wants sent before all others, by one of two indexes. */
const first = (index: string) =>
  `captures INDEXED BY ${index} WHERE status = 'pending' AND priority > 0 AND due_at IS NULL`;
const FIRST = first("captures_first");

const PROMOTE = `UPDATE ${WAITING.replace("WHERE", "SET due_at = NULL WHERE")}`;

const DELIVERED = `rowid, id, filepath, size, sha256, server_id AS serverId,
  delivered_at AS deliveredAtMs, attempts_made AS attempts, elapsed_ms AS elapsedMs`;

const WATCHED = `n, capture_id AS id, filepath AS path, file_id AS fileId, size,
  mtime_ms AS mtimeMs, ctime_ms AS ctimeMs, state, sha256,
  metadata_sha256 AS metadataSha256`;

/** Of a capture `c` without a copy: whether its file was written anew, or another one has its last name. */
const OVERWRITTEN = `c.spooled = 0 AND c.watched = 1 AND NOT EXISTS (
     SELECT 1 FROM watched_files WHERE capture_id = c.id AND filepath <> '')`;

const DELIVERY =
  `SELECT capture_id AS id, filepath AS path, sha256, metadata_sha256 AS metadataSha256,
     since AS sinceMs, size, mtime_ms AS mtimeMs FROM watched_files`;

/** Of a capture `c`: the status of the last answer, if there was one. */
const LAST_STATUS =
  "(SELECT http_status FROM attempts WHERE capture_id = c.id ORDER BY nth DESC LIMIT 1)";

const STATEMENTS = {
  shrinkMemory: "PRAGMA shrink_memory",
  dataVersion: "PRAGMA data_version",
  truncateWal: "PRAGMA wal_checkpoint(TRUNCATE)",

  // The agent may have found the spool's record first, and even delivered it.
  insert: `INSERT INTO captures (id, filepath, metadata_json, created_at,
       file_id, size, mtime_ms, ctime_ms, sha256, spooled, watched)
     SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM delivered WHERE id = ?)
     ON CONFLICT (id) DO NOTHING`,
  get: `SELECT ${CAPTURE_COLUMNS} FROM captures WHERE id = ?`,
  ready: `${READY} ORDER BY created_at, rowid LIMIT ?`,
  readyNewest: `${READY} ORDER BY created_at DESC, rowid DESC LIMIT ?`,
  first: `SELECT ${CAPTURE_COLUMNS} FROM ${FIRST}
     ORDER BY priority DESC, created_at, rowid LIMIT ?`,
  firstNewest: `SELECT ${CAPTURE_COLUMNS} FROM ${first("captures_first_newest")}
     ORDER BY priority DESC, created_at DESC LIMIT ?`,
  setPriority: "UPDATE captures SET priority = ? WHERE id = ?",
  bump: `UPDATE captures SET due_at = NULL,
       priority = (SELECT coalesce(max(priority), 0) + 1 FROM ${FIRST})
     WHERE id = ? AND status = 'pending'`,
  listAfter: `SELECT ${CAPTURE_COLUMNS} FROM ${BY_TURN}
     WHERE status = ? AND turn = ? AND (created_at, rowid) > (?, ?)
     ORDER BY created_at, rowid LIMIT ?`,
  capturesById: `SELECT ${CAPTURE_COLUMNS} FROM captures
     WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?`,
  capturesByPath: `SELECT ${CAPTURE_COLUMNS} FROM captures
     WHERE filepath = ? ORDER BY created_at LIMIT ?`,
  // A watched one that failed without an answer cannot be sent any more.
  needsFile: `SELECT id FROM captures
     WHERE spooled = 0 AND watched = 0 AND filepath = ?
     UNION ALL SELECT id FROM captures
     WHERE spooled = 0 AND watched = 0 AND file_id = ?
     UNION ALL SELECT c.id FROM watched_files AS w JOIN captures AS c ON c.id = w.capture_id
     WHERE (w.file_id = ? OR w.file_id BETWEEN ? AND ?) AND w.state = 'queued'
       AND w.size = ? AND spooled = 0 AND (status <> 'failed' OR ${LAST_STATUS} IS NOT NULL)
     LIMIT 1`,
  spooledAfter: `SELECT ${CAPTURE_COLUMNS} FROM captures
     WHERE rowid > ? AND spooled = 1 ORDER BY rowid LIMIT ?`,
  oldest: `SELECT min(created_at) AS time FROM ${BY_TURN}
     WHERE status = ? AND turn = ?`,
  stats: "SELECT pending, uploading, failed, delivered FROM counts",
  bytes: "SELECT enqueued_bytes, watched_bytes, waiting_bytes FROM counts",

  anyDueUntil: `SELECT 1 FROM ${WAITING} AND due_at <= ? LIMIT 1`,
  anyDueAfter: `SELECT 1 FROM ${WAITING} AND due_at > ? LIMIT 1`,
  promoteUntil: `${PROMOTE} AND due_at <= ?`,
  promoteAfter: `${PROMOTE} AND due_at > ?`,
  makeAllDue: PROMOTE,
  makeDue:
    "UPDATE captures SET due_at = NULL WHERE id = ? AND status = 'pending'",
  firstDue: `SELECT due_at FROM ${WAITING} ORDER BY due_at LIMIT 1`,

  markUploading:
    `UPDATE captures SET status = 'uploading', due_at = NULL, last_attempt = ?
     WHERE id = ? AND status = 'pending'`,
  setContent: "UPDATE captures SET sha256 = ? WHERE id = ? AND sha256 IS NULL",
  setWatchedContent: "UPDATE watched_files SET sha256 = ? WHERE capture_id = ?",
  failUnreadable: `UPDATE captures SET id = ?, status = 'failed', due_at = NULL,
       filepath = replace(CAST(filepath AS TEXT), char(0), ''),
       metadata_json = iif(typeof(metadata_json) = 'text', metadata_json, '{}'),
       last_error = ? WHERE rowid = ?`,
  recover:
    `UPDATE ${BY_TURN} SET status = 'pending', due_at = NULL WHERE status = 'uploading'`,
  standing:
    `SELECT status, attempts, first_charged_at AS firstChargedMs, spooled, watched, filepath,
       last_charged_at AS lastChargedMs, last_attempt AS lastAttemptMs
     FROM captures WHERE id = ?`,
  addAttempt:
    `INSERT INTO attempts (capture_id, nth, started_at, elapsed_ms, http_status, error, sha256)
     SELECT ?, coalesce(max(nth), 0) + 1, ?, ?, ?, ?, ? FROM attempts
     WHERE capture_id = ? AND nth < 1000000000 RETURNING nth`,
  attemptsMade: "SELECT max(nth) AS n FROM attempts WHERE capture_id = ?",
  forgetAttempts: "DELETE FROM attempts WHERE capture_id = ? AND nth <= ?",
  attempts:
    `SELECT started_at AS startedMs, elapsed_ms AS elapsedMs, http_status AS status,
       error, sha256 FROM (SELECT * FROM attempts WHERE capture_id = ?
     UNION ALL SELECT id, attempts_made, delivered_at - elapsed_ms, elapsed_ms, http_status, NULL, sha256
     FROM delivered WHERE id = ? AND elapsed_ms IS NOT NULL) ORDER BY nth`,
  deliver:
    `INSERT OR IGNORE INTO delivered (id, filepath, size, sha256, server_id,
       delivered_at, attempts_made, elapsed_ms, http_status)
     SELECT id, filepath, coalesce(?, size), coalesce(?, sha256), ?, ?, ?, ?, ?
     FROM captures WHERE id = ?`,
  release:
    `UPDATE captures SET status = 'pending', last_error = coalesce(?, last_error),
       due_at = NULL WHERE id = ? AND status = 'uploading'`,
  snooze: `UPDATE captures SET status = 'pending', last_error = ?, due_at = ?,
       snoozes = snoozes + 1 WHERE id = ? AND status = 'uploading'`,
  charge:
    `UPDATE captures SET status = ?, due_at = ?, attempts = ?, first_charged_at = ?,
       last_charged_at = ?, last_error = ?, last_attempt = ? WHERE id = ?`,
  skipCharge:
    `UPDATE captures SET status = 'pending', due_at = ?, last_error = ?, last_attempt = ?
     WHERE id = ?`,
  remove: "DELETE FROM captures WHERE id = ?",
  wasDelivered: "SELECT 1 FROM delivered WHERE id = ?",

  oldFailed:
    `SELECT rowid, id FROM captures NOT INDEXED WHERE rowid > CAST(? AS INTEGER)
       AND status = 'failed' AND coalesce(last_attempt, created_at) < ? ORDER BY rowid LIMIT ?`,
  retryOne:
    `UPDATE captures SET status = 'pending', due_at = NULL, attempts = 0,
       first_charged_at = NULL, last_charged_at = NULL, snoozes = 0, last_error = NULL
     WHERE id = ? AND status <> 'uploading'`,

  watchedFile: `SELECT ${WATCHED} FROM watched_files WHERE file_id = ?`,
  watchedPath:
    `SELECT ${WATCHED} FROM watched_files WHERE filepath = ? AND capture_id <> ''
     ORDER BY n DESC LIMIT 1`,
  isOverwritten: `SELECT 1 FROM captures AS c WHERE id = ? AND ${OVERWRITTEN}`,
  // A capture that the server refused may be of use to a person.
  oldOverwritten:
    `SELECT id FROM captures AS c INDEXED BY captures_by_turn WHERE status = 'failed'
       AND coalesce(last_attempt, created_at) < ? AND ${OVERWRITTEN} AND
       ${LAST_STATUS} IS NULL LIMIT ?`,
  isOtherName: `SELECT 1 FROM watched_files
     WHERE file_id = ? AND filepath <> ? AND size = ? AND mtime_ms = ?
       AND state <> 'removed'`,
  addWatched: `INSERT OR REPLACE INTO watched_files
       (capture_id, filepath, file_id, size, mtime_ms, ctime_ms, sha256, state, since)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  watchedIsNow: `UPDATE OR REPLACE watched_files
     SET filepath = ?, file_id = ?, size = ?, mtime_ms = ?, ctime_ms = ? WHERE n = ?`,
  // Those that had a name which is another file's now are still known by their number.
  watchedNameIsTaken:
    "UPDATE watched_files SET filepath = '' WHERE filepath = ? AND file_id <> ?",
  // One that was looked for under its old name waits, or has failed.
  uncopiedIsAt: `UPDATE captures SET filepath = ?, due_at = NULL,
       status = CASE status WHEN 'failed' THEN 'pending' ELSE status END
     WHERE id = (SELECT capture_id FROM watched_files WHERE n = ? AND state = 'queued')
       AND spooled = 0 AND filepath <> ?`,
  // As it was taken over: one that has its name by now may have metadata of its own.
  watchedIsDelivered:
    `UPDATE watched_files SET state = 'delivered', since = ?, size = coalesce(size, ?),
       mtime_ms = coalesce(mtime_ms, ?), ctime_ms = coalesce(ctime_ms, ?),
       sha256 = coalesce(?, sha256), metadata_sha256 = ? WHERE capture_id = ?`,
  deliveriesOfFile: `${DELIVERY} WHERE (file_id = ? OR file_id BETWEEN ? AND ?)
       AND state = 'delivered' ORDER BY filepath = ? DESC`,
  watchedDelivery: `${DELIVERY} WHERE capture_id = ? AND state = 'delivered'`,
  namesOfFile:
    `SELECT ${WATCHED} FROM watched_files WHERE file_id BETWEEN ? AND ?`,
  uncopiedIsNow:
    "UPDATE captures SET filepath = ? WHERE id = ? AND spooled = 0 AND watched = 1",
  watchedIsRemoved:
    "UPDATE watched_files SET state = 'removed', since = ? WHERE capture_id = ?",
  isLateSidecar:
    "SELECT 1 FROM watched_files WHERE file_id = ? AND size = ? AND mtime_ms = ?",
  forgetWatchedName:
    "UPDATE watched_files SET filepath = '' WHERE capture_id = ?",
  forgetWatchedCapture: "DELETE FROM watched_files WHERE capture_id = ?",
  forgetWatched: "DELETE FROM watched_files WHERE n = ?",

  nextWatched: `SELECT n, filepath, since < ? AND state <> 'queued' AS is_old
     FROM watched_files WHERE n > ? ORDER BY n LIMIT ?`,
  oldDelivered:
    "SELECT id FROM delivered WHERE delivered_at < ? ORDER BY delivered_at LIMIT ?",
  deliveredBefore: `SELECT ${DELIVERED} FROM delivered
     WHERE delivered_at >= ? AND (delivered_at, rowid) < (?, ?)
     ORDER BY delivered_at DESC, rowid DESC LIMIT ?`,
  deliveredById: `SELECT ${DELIVERED} FROM delivered
     WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?`,
  deliveredByPath: `SELECT ${DELIVERED} FROM delivered
     WHERE filepath = ? ORDER BY delivered_at DESC LIMIT ?`,
  forgetDelivered: "DELETE FROM delivered WHERE id = ?",

  lastDelivered: "SELECT max(delivered_at) AS time FROM delivered",
  deliveredSince: `SELECT count(*) AS captures, coalesce(sum(size), 0) AS bytes
     FROM delivered WHERE delivered_at > ?`,
  failedByReason:
    `SELECT coalesce(replace(last_error, filepath, '…'), 'no reason given') AS reason,
       count(*) AS count FROM ${BY_TURN}
     WHERE status = 'failed' GROUP BY 1 ORDER BY 2 DESC LIMIT ?`,
  addSample:
    "INSERT OR REPLACE INTO samples (at, waiting, delivered) VALUES (?, ?, ?)",
  forgetSamples: "DELETE FROM samples WHERE at < ? OR at > ?",
  samples: "SELECT at AS timeMs, waiting, delivered FROM samples ORDER BY at",

  agent: `SELECT pid, server_url AS serverUrl, server_state AS serverState,
       server_reason AS serverReason, server_since AS serverSince,
       next_probe_at AS nextProbeAt, folders, problem, schedule, bandwidth,
       sync_requested AS syncRequested, sync_completed AS syncCompleted,
       probes_requested AS probesRequested FROM agent`,
  setAgent:
    `UPDATE agent SET pid = ?, server_url = ?, server_state = ?, server_reason = ?,
       server_since = ?, next_probe_at = ?, folders = ?, problem = ?, schedule = ?, bandwidth = ?`,
  suspect: "UPDATE agent SET pid = 0 WHERE pid IS NULL",
  requestSync: "UPDATE agent SET sync_requested = sync_requested + 1",
  completeSync: "UPDATE agent SET sync_completed = ?",
  requestProbe: "UPDATE agent SET probes_requested = probes_requested + 1",
  pause: "SELECT paused_since AS since, paused_until AS until FROM agent",
  setPause: "UPDATE agent SET paused_since = ?, paused_until = ?",
};

export type Statements = Readonly<Record<keyof typeof STATEMENTS, Statement>>;

/** Prepares every statement. @throws {DatabaseError} if a table or column is missing. */
export function prepareStatements(database: Connection): Statements {
  const prepared = Object.entries(STATEMENTS)
    .map(([name, sql]) => [name, database.prepare(sql)]);
  return Object.fromEntries(prepared);
}
