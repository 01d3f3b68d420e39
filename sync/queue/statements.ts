/**
 * Every SQL statement of the queue's daily work, in groups by the file that executes
 * them. Parameters have no numbers: older Denos take those for names.
 *
 * @module
 */

import { CAPTURE_COLUMNS } from "./capture_row.ts";
import type { Connection, Statement } from "./sqlite.ts";
import { WATCHED_STATEMENTS } from "./watched_statements.ts";

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

const STATEMENTS = {
  ...WATCHED_STATEMENTS,

  // ---- The file: queue_file.ts, queue_reader.ts
  truncateWal: "PRAGMA wal_checkpoint(TRUNCATE)",
  dataVersion: "PRAGMA data_version",
  shrinkMemory: "PRAGMA shrink_memory",

  // ---- Enqueue and read: transitions.ts, queue_reader.ts, queue_records.ts
  // The agent may have found the spool's record first, and even delivered it.
  insert: `INSERT INTO captures (id, filepath, metadata_json, created_at,
       file_id, size, mtime_ms, ctime_ms, sha256, hostname, spooled, watched)
     SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM delivered WHERE id = ?)
     ON CONFLICT (id) DO NOTHING`,
  get: `SELECT ${CAPTURE_COLUMNS} FROM captures WHERE id = ?`,
  listAfter: `SELECT ${CAPTURE_COLUMNS} FROM ${BY_TURN}
     WHERE status = ? AND turn = ? AND (created_at, rowid) > (?, ?)
     ORDER BY created_at, rowid LIMIT ?`,
  spooledAfter: `SELECT ${CAPTURE_COLUMNS} FROM captures
     WHERE rowid > ? AND spooled = 1 ORDER BY rowid LIMIT ?`,
  capturesById: `SELECT ${CAPTURE_COLUMNS} FROM captures
     WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?`,
  capturesByPath: `SELECT ${CAPTURE_COLUMNS} FROM captures
     WHERE filepath = ? ORDER BY created_at LIMIT ?`,
  oldest: `SELECT min(created_at) AS time FROM ${BY_TURN}
     WHERE status = ? AND turn = ?`,
  firstDue: `SELECT due_at FROM ${WAITING} ORDER BY due_at LIMIT 1`,
  stats: "SELECT pending, uploading, failed, delivered FROM counts",
  bytes: "SELECT enqueued_bytes, watched_bytes, waiting_bytes FROM counts",

  // ---- Claim: claim_order.ts
  anyDueUntil: `SELECT 1 FROM ${WAITING} AND due_at <= ? LIMIT 1`,
  anyDueAfter: `SELECT 1 FROM ${WAITING} AND due_at > ? LIMIT 1`,
  promoteUntil: `${PROMOTE} AND due_at <= ?`,
  promoteAfter: `${PROMOTE} AND due_at > ?`,
  ready: `${READY} ORDER BY created_at, rowid LIMIT ?`,
  readyNewest: `${READY} ORDER BY created_at DESC, rowid DESC LIMIT ?`,
  first: `SELECT ${CAPTURE_COLUMNS} FROM ${FIRST}
     ORDER BY priority DESC, created_at, rowid LIMIT ?`,
  firstNewest: `SELECT ${CAPTURE_COLUMNS} FROM ${first("captures_first_newest")}
     ORDER BY priority DESC, created_at DESC LIMIT ?`,
  markUploading:
    `UPDATE captures SET status = 'uploading', due_at = NULL, last_attempt = ?
     WHERE id = ? AND status = 'pending'`,
  setContent: `UPDATE captures SET sha256 = ?, mtime_ms = coalesce(mtime_ms, ?),
       hostname = coalesce(hostname, ?) WHERE id = ? AND sha256 IS NULL`,
  failUnreadable: `UPDATE captures SET id = ?, status = 'failed', due_at = NULL,
       filepath = replace(CAST(filepath AS TEXT), char(0), ''),
       metadata_json = iif(typeof(metadata_json) = 'text', metadata_json, '{}'),
       last_error = ? WHERE rowid = ?`,

  // ---- Outcomes of attempts: transitions.ts
  captureState:
    `SELECT status, attempts, first_charged_at AS firstChargedMs, spooled, watched, filepath,
       last_charged_at AS lastChargedMs, last_attempt AS lastAttemptMs
     FROM captures WHERE id = ?`,
  addAttempt:
    `INSERT INTO attempts (capture_id, nth, started_at, elapsed_ms, http_status, error, sha256)
     SELECT ?, coalesce(max(nth), 0) + 1, ?, ?, ?, ?, ? FROM attempts
     WHERE capture_id = ? AND nth < 1000000000 RETURNING nth`,
  attemptsMade: "SELECT max(nth) AS n FROM attempts WHERE capture_id = ?",
  forgetAttempts: "DELETE FROM attempts WHERE capture_id = ? AND nth <= ?",
  deliver:
    `INSERT OR IGNORE INTO delivered (id, filepath, size, sha256, server_id,
       delivered_at, attempts_made, elapsed_ms, http_status)
     SELECT id, filepath, coalesce(?, size), coalesce(?, sha256), ?, ?, ?, ?, ?
     FROM captures WHERE id = ?`,
  charge:
    `UPDATE captures SET status = ?, due_at = ?, attempts = ?, first_charged_at = ?,
       last_charged_at = ?, last_error = ?, last_attempt = ? WHERE id = ?`,
  skipCharge:
    `UPDATE captures SET status = 'pending', due_at = ?, last_error = ?, last_attempt = ?
     WHERE id = ?`,
  snooze: `UPDATE captures SET status = 'pending', last_error = ?, due_at = ?,
       snoozes = snoozes + 1 WHERE id = ? AND status = 'uploading'`,
  release:
    `UPDATE captures SET status = 'pending', last_error = coalesce(?, last_error),
       due_at = NULL WHERE id = ? AND status = 'uploading'`,
  makeDue:
    "UPDATE captures SET due_at = NULL WHERE id = ? AND status = 'pending'",

  // ---- What a person or a start of the agent asks for: queue.ts
  retryOne:
    `UPDATE captures SET status = 'pending', due_at = NULL, attempts = 0,
       first_charged_at = NULL, last_charged_at = NULL, snoozes = 0, last_error = NULL
     WHERE id = ? AND status <> 'uploading'`,
  bump: `UPDATE captures SET due_at = NULL,
       priority = (SELECT coalesce(max(priority), 0) + 1 FROM ${FIRST})
     WHERE id = ? AND status = 'pending'`,
  setPriority: "UPDATE captures SET priority = ? WHERE id = ?",
  makeAllDue: PROMOTE,
  recover:
    `UPDATE ${BY_TURN} SET status = 'pending', due_at = NULL WHERE status = 'uploading'`,
  oldFailed:
    `SELECT rowid, id FROM captures NOT INDEXED WHERE rowid > CAST(? AS INTEGER)
       AND status = 'failed' AND coalesce(last_attempt, created_at) < ? ORDER BY rowid LIMIT ?`,
  remove: "DELETE FROM captures WHERE id = ?",

  // ---- History: queue_records.ts
  attempts:
    `SELECT started_at AS startedMs, elapsed_ms AS elapsedMs, http_status AS status,
       error, sha256 FROM (SELECT * FROM attempts WHERE capture_id = ?
     UNION ALL SELECT id, attempts_made, delivered_at - elapsed_ms, elapsed_ms, http_status, NULL, sha256
     FROM delivered WHERE id = ? AND elapsed_ms IS NOT NULL) ORDER BY nth`,
  wasDelivered: "SELECT 1 FROM delivered WHERE id = ?",
  deliveredBefore: `SELECT ${DELIVERED} FROM delivered
     WHERE delivered_at >= ? AND (delivered_at, rowid) < (?, ?)
     ORDER BY delivered_at DESC, rowid DESC LIMIT ?`,
  deliveredById: `SELECT ${DELIVERED} FROM delivered
     WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?`,
  deliveredByPath: `SELECT ${DELIVERED} FROM delivered
     WHERE filepath = ? ORDER BY delivered_at DESC LIMIT ?`,
  lastDelivered: "SELECT max(delivered_at) AS time FROM delivered",
  deliveredSince: `SELECT count(*) AS captures, coalesce(sum(size), 0) AS bytes
     FROM delivered WHERE delivered_at > ?`,
  oldDelivered:
    "SELECT id FROM delivered WHERE delivered_at < ? ORDER BY delivered_at LIMIT ?",
  forgetDelivered: "DELETE FROM delivered WHERE id = ?",
  failedByReason:
    `SELECT coalesce(replace(last_error, filepath, '…'), 'no reason given') AS reason,
       count(*) AS count FROM ${BY_TURN}
     WHERE status = 'failed' GROUP BY 1 ORDER BY 2 DESC LIMIT ?`,
  addSample:
    "INSERT OR REPLACE INTO samples (at, waiting, delivered) VALUES (?, ?, ?)",
  forgetSamples: "DELETE FROM samples WHERE at < ? OR at > ?",
  samples: "SELECT at AS timeMs, waiting, delivered FROM samples ORDER BY at",

  // ---- The agent: agent_row.ts
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
