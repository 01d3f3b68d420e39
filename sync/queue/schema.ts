/**
 * The queue's tables, indexes and migrations.
 *
 * `captures` holds what is still to be delivered, `delivered` is the ledger of
 * what was, `dismissed` names watched files that a person removed from the queue,
 * `room` is empty, `counts` keeps the number of rows by status so that asking costs the same with
 * a million rows, and `agent` has one row: what tells this queue from others, and
 * what the running agent says of itself and of the server. Times are milliseconds
 * since 1970, UTC.
 *
 * Whoever puts rows into `captures` or `delivered`, takes them out of `captures`, or
 * makes them `uploading` counts them in the same transaction: once for all, where a
 * trigger would do so for each. Other changes of status are counted by a trigger.
 * What is put into `arrivals` is counted as well: one statement takes one capture in.
 *
 * It keeps to what SQLite 3.32 can do, which is what older systems have.
 *
 * A pending capture with `due_at` NULL is ready; with a time it waits for its
 * retry. The waiting ones stand in a separate part of the index by age, so that
 * a hundred thousand of them are not read to find the ten ready ones behind.
 *
 * @module
 */

/** The version of the schema, kept in `PRAGMA user_version`. */
export const SCHEMA_VERSION = 2;

/** What tells a queue from another program's database, kept in `PRAGMA application_id`: "JRVS". */
export const APPLICATION_ID = 0x4a525653;

/** Counts what changes its status, but for what is claimed. */
const COUNT_UPDATE = `
CREATE TRIGGER count_update AFTER UPDATE OF status ON captures
WHEN old.status <> new.status AND new.status <> 'uploading' BEGIN
  UPDATE counts SET n = n - 1 WHERE status = old.status;
  UPDATE counts SET n = n + 1 WHERE status = new.status;
END;
`;

/** Takes one capture in, and counts it. */
const ARRIVALS = `
CREATE VIEW arrivals AS
  SELECT id, filepath, metadata_json, created_at, size, mtime_ms, spooled, watched FROM captures;
CREATE TRIGGER arrive INSTEAD OF INSERT ON arrivals BEGIN
  INSERT INTO captures (id, filepath, metadata_json, created_at, size, mtime_ms, spooled, watched)
  VALUES (new.id, new.filepath, new.metadata_json, new.created_at, new.size, new.mtime_ms,
    new.spooled, new.watched);
  UPDATE counts SET n = n + 1 WHERE status = 'pending';
  UPDATE counts SET n = n + coalesce(new.size, 0) WHERE status = 'spooled bytes' AND new.spooled = 1;
END;
`;

/** Counts every row anew; takes longer the more there are. */
export const RECOUNT = `
UPDATE counts SET n = CASE status
  WHEN 'delivered' THEN (SELECT count(*) FROM delivered)
  WHEN 'spooled bytes' THEN (SELECT coalesce(sum(size), 0) FROM captures WHERE spooled = 1)
  ELSE (SELECT count(*) FROM captures WHERE captures.status = counts.status)
END;
`;

/**
 * Makes a database of version 1, which counted everything by triggers, one of
 * version 2. A program of version 1 that has it open may go on for a while and
 * count nothing: what it leaves is counted when the next agent starts.
 */
export const MIGRATE_VERSION_1 = `
DROP TRIGGER count_insert;
DROP TRIGGER count_delete;
DROP TRIGGER count_spooled;
DROP TRIGGER count_unspooled;
DROP TRIGGER count_update;
DROP TRIGGER count_delivered;
${COUNT_UPDATE}${ARRIVALS}
INSERT INTO counts VALUES ('uncertain', 1);
`;

/** Makes an empty database one of version {@linkcode SCHEMA_VERSION}. */
export const CREATE = `
CREATE TABLE captures (
  id TEXT PRIMARY KEY NOT NULL,
  filepath TEXT NOT NULL,
  metadata_json TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  last_attempt INTEGER,
  status TEXT NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'uploading', 'failed')),
  due_at INTEGER,
  last_error TEXT,
  size INTEGER,
  mtime_ms INTEGER,
  spooled INTEGER NOT NULL DEFAULT 0,
  watched INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX captures_by_age ON captures (status, due_at IS NOT NULL, created_at);
CREATE INDEX captures_waiting ON captures (due_at)
  WHERE status = 'pending' AND due_at IS NOT NULL;
CREATE INDEX captures_watched ON captures (filepath) WHERE watched = 1;

CREATE TABLE delivered (
  id TEXT PRIMARY KEY NOT NULL,
  filepath TEXT NOT NULL,
  size INTEGER,
  mtime_ms INTEGER,
  server_id TEXT,
  delivered_at INTEGER NOT NULL,
  watched INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX delivered_watched ON delivered (filepath) WHERE watched = 1;

CREATE TABLE dismissed (
  filepath TEXT PRIMARY KEY NOT NULL,
  size INTEGER,
  mtime_ms INTEGER
) WITHOUT ROWID;

CREATE TABLE room (filler BLOB NOT NULL);

CREATE TABLE counts (status TEXT PRIMARY KEY NOT NULL, n INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counts VALUES ('pending', 0), ('uploading', 0), ('failed', 0), ('delivered', 0),
  ('spooled bytes', 0);
${COUNT_UPDATE}${ARRIVALS}
CREATE TABLE agent (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  queue_id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  pid INTEGER,
  server_url TEXT,
  server_state TEXT NOT NULL DEFAULT 'unknown',
  server_reason TEXT,
  server_since INTEGER,
  sync_requested INTEGER NOT NULL DEFAULT 0,
  sync_completed INTEGER NOT NULL DEFAULT 0
);
INSERT INTO agent (one) VALUES (1);
`;

/** The milliseconds since 1970 of an ISO 8601 text; without a zone it is UTC. NULL if unreadable. */
const millis = (column: string) =>
  `CAST(round((julianday(${column}) - 2440587.5) * 86400000) AS INTEGER)`;

/**
 * Takes over every row of the first design's table `queue`, behind
 * {@linkcode CREATE}. What it left empty or unreadable gets a usable value; a
 * row tried less than a minute ago goes on waiting.
 */
export const MIGRATE_FIRST_DESIGN = `
INSERT INTO captures
  (id, filepath, metadata_json, created_at, attempts, last_attempt, status, due_at)
SELECT
  iif(typeof(id) = 'text', id, lower(hex(randomblob(16)))),
  coalesce(CAST(filepath AS TEXT), ''),
  coalesce(CAST(metadata_json AS TEXT), '{}'),
  coalesce(${
  millis("created_at")
}, CAST(strftime('%s', 'now') AS INTEGER) * 1000),
  max(coalesce(CAST(attempts AS INTEGER), 0), 0),
  ${millis("last_attempt")},
  iif(status IN ('pending', 'uploading', 'failed'), status, 'pending'),
  iif(status IN ('uploading', 'failed'), NULL, ${
  millis("last_attempt")
} + 60000)
FROM queue ORDER BY rowid;
DROP TABLE queue;
`;

/** The columns of the first design's table `queue`. */
export const FIRST_DESIGN_COLUMNS = [
  "id",
  "filepath",
  "metadata_json",
  "created_at",
  "attempts",
  "last_attempt",
  "status",
];

/**
 * Names every table and column, and the indexes that statements name: it can be
 * prepared only if they are there.
 */
export const TOUCH_ALL = `SELECT
  EXISTS (SELECT id, filepath, metadata_json, created_at, attempts, last_attempt, status,
    due_at, last_error, size, mtime_ms, spooled, watched
    FROM captures INDEXED BY captures_by_age WHERE status = ''),
  EXISTS (SELECT 1 FROM captures INDEXED BY captures_waiting
    WHERE status = 'pending' AND due_at IS NOT NULL),
  EXISTS (SELECT id, filepath, size, mtime_ms, server_id, delivered_at, watched FROM delivered),
  EXISTS (SELECT filepath, size, mtime_ms FROM dismissed),
  EXISTS (SELECT filler FROM room),
  EXISTS (SELECT status, n FROM counts),
  EXISTS (SELECT one, queue_id, pid, server_url, server_state, server_reason, server_since,
    sync_requested, sync_completed FROM agent)`;
