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

import type { Connection, SqlValue } from "./database.ts";
import { damage, DatabaseError, hasFault } from "./database_error.ts";

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
const MIGRATE_VERSION_1 = `
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

/** How often, and how many milliseconds apart, the journal's mode is tried to be set. */
const MAX_SWITCH_TRIES = 1000;
const SWITCH_WAIT_MS = 10;

/**
 * Makes sure that a database is a queue, or empty, and not of a newer version.
 * Reads only.
 *
 * @throws {Error} if it is not.
 */
export function assertQueue(database: Connection): void {
  identifyAtOnce(database);
}

/**
 * Makes a database ready for the queue: its durability, its tables, its version.
 *
 * @throws {Error} if it was written by a newer version, or belongs to another
 * program: then it is left untouched.
 */
export function prepareSchema(database: Connection): void {
  // Before anything is written.
  const { version } = identifyAtOnce(database);
  // A commit writes every page that it changes, four for one capture: of half the
  // usual size they take a tenth less time. Of an older database it stays as it is.
  database.exec("PRAGMA page_size = 2048");
  switchToWal(database);
  // Behind a large transaction the -wal is cut back to 16 MiB.
  database.exec(
    "PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 16777216",
  );
  if (version === SCHEMA_VERSION) return;
  database.transaction(() => {
    const { version, tables } = identify(database);
    // Another process may have been faster.
    if (version === SCHEMA_VERSION) return;
    database.exec(version === 1 ? MIGRATE_VERSION_1 : CREATE);
    if (tables.includes("queue")) {
      database.exec(MIGRATE_FIRST_DESIGN + RECOUNT);
    }
    database.exec(
      `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}`,
    );
  });
}

/**
 * Returns what tells a queue from others, or `null` if it is no queue. Reads only.
 *
 * @throws {DatabaseError} if it cannot be read.
 */
export function readQueueId(database: Connection): string | null {
  if (readPragma(database, "application_id") !== APPLICATION_ID) return null;
  return String(database.prepare("SELECT queue_id FROM agent").get()?.queue_id);
}

/**
 * Makes a database own room on the disk, in its file and in its -wal, that
 * nothing else can take. It is as good as full already: the -wal is therefore
 * begun anew as often as can be.
 *
 * @throws {DatabaseError} if there is not so much.
 */
export function seizeRoom(database: Connection, bytes: number): void {
  database.exec("PRAGMA wal_autocheckpoint = 64");
  database.exec(`INSERT INTO room VALUES (zeroblob(${Math.floor(bytes)}))`);
  database.exec("DELETE FROM room");
}

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

/**
 * Makes sure that a queue of this version has all that belongs to it, for its
 * statements are prepared only when they are needed.
 *
 * @throws {DatabaseError} whose `fault` is `"damaged"` if something is missing.
 */
export function assertWhole(database: Connection): void {
  try {
    database.exec(
      `EXPLAIN ${TOUCH_ALL}; EXPLAIN INSERT INTO arrivals (id) VALUES ('')`,
    );
  } catch (cause) {
    if (!hasFault(cause, "other")) throw cause;
    const { message } = cause as Error;
    throw new DatabaseError(damage(message), { fault: "damaged", cause });
  }
}

/** What is damaged in a database, or `null` if it is sound. Reads all of it. */
export function findDamage(database: Connection): string | null {
  const found = database.prepare("PRAGMA quick_check(1)").get()!.quick_check;
  return found === "ok" ? null : String(found);
}

/** What a database says of itself. */
interface Identity {
  version: number;
  tables: string[];
}

/** All from one moment: another process may be making the tables. */
function identifyAtOnce(database: Connection): Identity {
  database.exec("BEGIN");
  // If this fails, whoever opened the database closes it.
  const identity = identify(database);
  database.exec("COMMIT");
  return identity;
}

function identify(database: Connection): Identity {
  const version = Number(readPragma(database, "user_version"));
  if (version > SCHEMA_VERSION) {
    throw new Error(
      `it has version ${version} and this program knows up to ${SCHEMA_VERSION}: ` +
        "use the newer program that wrote it",
    );
  }
  const tables = database.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  ).all().map(({ name }) => String(name));
  const isOurs = version > 0
    ? readPragma(database, "application_id") === APPLICATION_ID
    : tables.length === 0 || isFirstDesign(database);
  if (!isOurs) {
    const shown = tables[0] === undefined ? "" : ` (table "${tables[0]}")`;
    throw new Error(`it belongs to another program${shown}`);
  }
  return { version, tables };
}

/** Whether there is a table `queue` with all that the first design put into it. */
function isFirstDesign(database: Connection): boolean {
  const columns = database.prepare(
    "SELECT name FROM pragma_table_info('queue')",
  )
    .all().map(({ name }) => name);
  return FIRST_DESIGN_COLUMNS.every((column) => columns.includes(column));
}

function readPragma(
  database: Connection,
  name: "user_version" | "application_id" | "journal_mode",
): SqlValue {
  return database.prepare(`PRAGMA ${name}`).get()![name]!;
}

/**
 * Several processes that do this at once are told that the database is locked,
 * without the wait that `busy_timeout` gives them everywhere else.
 */
function switchToWal(database: Connection): void {
  for (let tries = 1; readPragma(database, "journal_mode") !== "wal"; tries++) {
    try {
      database.exec("PRAGMA journal_mode = WAL");
    } catch (error) {
      if (!hasFault(error, "busy") || tries === MAX_SWITCH_TRIES) throw error;
      Atomics.wait(
        new Int32Array(new SharedArrayBuffer(4)),
        0,
        0,
        SWITCH_WAIT_MS,
      );
    }
  }
}
