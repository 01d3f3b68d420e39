/**
 * The SQL statements of the files of watched folders: `watched_files.ts`, and for those
 * of captures that come and go `transitions.ts`.
 *
 * @module
 */

/** The columns of a `KnownFile`. */
const WATCHED = `n, capture_id AS id, filepath AS path, file_id AS key, size,
  mtime_ms AS mtimeMs, ctime_ms AS ctimeMs, state, sha256,
  metadata_sha256 AS metadataSha256`;

/** Of a capture `c` without a copy: whether its file was written anew, or another one has its last name. */
const OVERWRITTEN = `c.spooled = 0 AND c.watched = 1 AND NOT EXISTS (
     SELECT 1 FROM watched_files WHERE capture_id = c.id AND filepath <> '')`;

/** A `DeliveredCapture`. */
const DELIVERY =
  `SELECT capture_id AS id, filepath AS path, sha256, metadata_sha256 AS metadataSha256,
     since AS sinceMs, size, mtime_ms AS mtimeMs FROM watched_files`;

/** Of a capture `c`: the status of the last answer, if there was one. */
const LAST_STATUS =
  "(SELECT http_status FROM attempts WHERE capture_id = c.id ORDER BY nth DESC LIMIT 1)";

/** Keeps the path that a capture was handed over by: the server is told its name at every attempt. */
const FIRST_PATH = "first_path = coalesce(first_path, filepath)";

export const WATCHED_STATEMENTS = {
  // ---- Enqueue
  addWatched: `INSERT OR REPLACE INTO watched_files
       (capture_id, filepath, file_id, size, mtime_ms, ctime_ms, sha256, state, since)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  isOtherName: `SELECT 1 FROM watched_files
     WHERE file_id = ? AND filepath <> ? AND size = ? AND mtime_ms = ?
       AND state <> 'removed'`,
  setWatchedContent: "UPDATE watched_files SET sha256 = ? WHERE capture_id = ?",

  // ---- Known again, perhaps by another name
  watchedFile: `SELECT ${WATCHED} FROM watched_files WHERE file_id = ?`,
  watchedPath:
    `SELECT ${WATCHED} FROM watched_files WHERE filepath = ? AND capture_id <> ''
     ORDER BY n DESC LIMIT 1`,
  namesOfFile:
    `SELECT ${WATCHED} FROM watched_files WHERE file_id BETWEEN ? AND ?`,
  setWatchedVersion: `UPDATE OR REPLACE watched_files
     SET filepath = ?, file_id = ?, size = ?, mtime_ms = ?, ctime_ms = ? WHERE n = ?`,
  // Those that had a name which is another file's now are still known by their number.
  takeWatchedName:
    "UPDATE watched_files SET filepath = '' WHERE filepath = ? AND file_id <> ?",
  // One that was looked for under its old name waits, or has failed.
  setUncopiedPathOfRow:
    `UPDATE captures SET ${FIRST_PATH}, filepath = ?, due_at = NULL,
       status = CASE status WHEN 'failed' THEN 'pending' ELSE status END
     WHERE id = (SELECT capture_id FROM watched_files WHERE n = ? AND state = 'queued')
       AND spooled = 0 AND filepath <> ?`,
  setUncopiedPath: `UPDATE captures SET ${FIRST_PATH}, filepath = ?
     WHERE id = ? AND spooled = 0 AND watched = 1`,

  // ---- Delivered, or needed no more
  // As it was taken over: one that has its name by now may have metadata of its own.
  setWatchedDelivered:
    `UPDATE watched_files SET state = 'delivered', since = ?, size = coalesce(size, ?),
       mtime_ms = coalesce(mtime_ms, ?), ctime_ms = coalesce(ctime_ms, ?),
       sha256 = coalesce(?, sha256), metadata_sha256 = ? WHERE capture_id = ?`,
  deliveriesOfFile: `${DELIVERY} WHERE (file_id = ? OR file_id BETWEEN ? AND ?)
       AND state = 'delivered' ORDER BY filepath = ? DESC`,
  watchedDelivery: `${DELIVERY} WHERE capture_id = ? AND state = 'delivered'`,
  // A watched one that failed without an answer cannot be sent any more.
  needsFile: `SELECT id FROM captures
     WHERE spooled = 0 AND watched = 0 AND filepath = ?
     UNION ALL SELECT id FROM captures
     WHERE spooled = 0 AND watched = 0 AND file_id = ?
     UNION ALL SELECT c.id FROM watched_files AS w JOIN captures AS c ON c.id = w.capture_id
     WHERE (w.file_id = ? OR w.file_id BETWEEN ? AND ?) AND w.state = 'queued'
       AND w.size = ? AND spooled = 0 AND (status <> 'failed' OR ${LAST_STATUS} IS NOT NULL)
     LIMIT 1`,
  setWatchedRemoved:
    "UPDATE watched_files SET state = 'removed', since = ? WHERE capture_id = ?",
  forgetWatchedName:
    "UPDATE watched_files SET filepath = '' WHERE capture_id = ?",
  forgetWatchedCapture: "DELETE FROM watched_files WHERE capture_id = ?",

  // ---- Overwritten before they were sent
  isOverwritten: `SELECT 1 FROM captures AS c WHERE id = ? AND ${OVERWRITTEN}`,
  // A capture that the server refused may be of use to a person.
  oldOverwritten:
    `SELECT id FROM captures AS c INDEXED BY captures_by_turn WHERE status = 'failed'
       AND coalesce(last_attempt, created_at) < ? AND ${OVERWRITTEN} AND
       ${LAST_STATUS} IS NULL LIMIT ?`,

  // ---- Late sidecars
  isLateSidecar:
    "SELECT 1 FROM watched_files WHERE file_id = ? AND size = ? AND mtime_ms = ?",

  // ---- Pruning: queue_records.ts
  nextWatched: `SELECT n, filepath, since < ? AND state <> 'queued' AS is_old
     FROM watched_files WHERE n > ? ORDER BY n LIMIT ?`,
  forgetWatched: "DELETE FROM watched_files WHERE n = ?",
};
