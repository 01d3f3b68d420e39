/**
 * Every SQL statement of the queue.
 *
 * @module
 */

import type { Connection, SqlValue, Statement } from "./sqlite.ts";
import { RECOUNT } from "./schema.ts";

/** A charged capture waits this long the first time, twice as long each further time. */
export const RETRY_DELAY_MS = 60_000;
/** The longest that a charged capture waits. */
export const MAX_RETRY_DELAY_MS = 3_600_000;
/** With this many charged attempts a capture is `failed`. */
export const MAX_ATTEMPTS = 10;

/** Captures in order of age by status. Which index to take is said wherever SQLite might err. */
const BY_AGE = "captures INDEXED BY captures_by_age";

/** The captures that wait for a retry. SQLite would rather go through all that are pending. */
const WAITING =
  "captures INDEXED BY captures_waiting WHERE status = 'pending' AND due_at IS NOT NULL";

const PROMOTE = `UPDATE ${WAITING.replace("WHERE", "SET due_at = NULL WHERE")}`;

const AGAIN =
  "UPDATE captures SET status = 'pending', due_at = NULL, attempts = 0, last_error = NULL";

/** An attempt began when the capture was marked; one that was not marked, now. */
const ATTEMPTED =
  "attempts = attempts + 1, last_error = ?, last_attempt = iif(status = 'uploading', last_attempt, ?)";

/** How many captures one statement takes in or settles: what calling it costs is shared. */
export const TOGETHER = 25;

const each = (places: string) => Array(TOGETHER).fill(places).join(", ");

const COLUMNS =
  "id, filepath, metadata_json, created_at, size, mtime_ms, spooled, watched";

const IS_THAT_FILE =
  "filepath = column2 AND size IS column3 AND mtime_ms IS column4";

/** Their texts. Parameters have no numbers: older Denos take those for names. */
export const STATEMENTS = {
  sqliteVersion: "SELECT sqlite_version() AS version",
  singleThread: "SELECT sqlite_compileoption_used('THREADSAFE=0') AS yes",
  // The agent may have found the spool's record first, and even delivered it.
  insert: `INSERT INTO captures (${COLUMNS})
     SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM delivered WHERE id = ?)
     ON CONFLICT (id) DO NOTHING`,
  arrive: `INSERT INTO arrivals (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  insertNew:
    `INSERT INTO captures (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  insertNewMany: `INSERT INTO captures (${COLUMNS})
     VALUES ${each("(?, ?, ?, ?, ?, ?, ?, ?)")}`,
  count: "UPDATE counts SET n = n + ? WHERE status = ?",
  ready:
    `SELECT * FROM ${BY_AGE} WHERE status = 'pending' AND (due_at IS NOT NULL) = 0
     ORDER BY created_at, rowid LIMIT ?`,
  anyDueUntil: `SELECT 1 FROM ${WAITING} AND due_at <= ? LIMIT 1`,
  anyDueAfter: `SELECT 1 FROM ${WAITING} AND due_at > ? LIMIT 1`,
  promoteUntil: PROMOTE + " AND due_at <= ?",
  promoteAfter: PROMOTE + " AND due_at > ?",
  makeAllDue: PROMOTE,
  firstDue: `SELECT due_at FROM ${WAITING} ORDER BY due_at LIMIT 1`,
  markUploading:
    `UPDATE captures SET status = 'uploading', due_at = NULL, last_attempt = ?
     WHERE id = ? AND status = 'pending'`,
  claim:
    `UPDATE captures SET status = 'uploading', due_at = NULL, last_attempt = ? WHERE rowid IN (
       SELECT rowid FROM ${BY_AGE} WHERE status = 'pending' AND (due_at IS NOT NULL) = 0
       ORDER BY created_at, rowid LIMIT ?)`,
  deliver:
    `INSERT OR IGNORE INTO delivered (id, filepath, size, mtime_ms, server_id, delivered_at, watched)
     SELECT id, filepath, coalesce(column2, size), coalesce(column3, mtime_ms), column4, ?, watched
     FROM (VALUES ${each("(?, ?, ?, ?)")})
     CROSS JOIN captures ON captures.id = column1`,
  dismiss: `INSERT OR REPLACE INTO dismissed (filepath, size, mtime_ms)
     SELECT filepath, size, mtime_ms FROM captures WHERE id = ? AND watched = 1`,
  countOf:
    `SELECT count(*) AS n, sum(status = 'pending') AS pending, sum(status = 'uploading') AS uploading,
       sum(iif(spooled = 1, size, 0)) AS bytes
     FROM captures WHERE id IN (${each("?")})`,
  delete: `DELETE FROM captures WHERE id IN (${each("?")})`,
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
    `UPDATE ${BY_AGE} SET status = 'pending', due_at = NULL WHERE status = 'uploading'`,
  counts:
    "SELECT status, n FROM counts WHERE status NOT IN ('spooled bytes', 'uncertain')",
  becomeCertain: "DELETE FROM counts WHERE status = 'uncertain'",
  recount: RECOUNT,
  spooledBytes: "SELECT n FROM counts WHERE status = 'spooled bytes'",
  oldest:
    `SELECT created_at FROM ${BY_AGE} WHERE status = ? AND (due_at IS NOT NULL) = ?
     ORDER BY created_at LIMIT 1`,
  oldFailed:
    `SELECT id FROM ${BY_AGE} WHERE status = 'failed' AND coalesce(last_attempt, created_at) < ?`,
  list:
    `SELECT rowid, * FROM ${BY_AGE} WHERE status = ? AND (due_at IS NOT NULL) = ?
     ORDER BY created_at, rowid LIMIT ?`,
  get: "SELECT * FROM captures WHERE id = ?",
  spooledAfter:
    "SELECT rowid, * FROM captures WHERE rowid > ? AND spooled = 1 ORDER BY rowid LIMIT ?",
  retryOne: `${AGAIN} WHERE id = ? AND status <> 'uploading'`,
  failedIds: `SELECT id FROM ${BY_AGE} WHERE status = 'failed'`,
  retryFailed: `${AGAIN} WHERE status = 'failed'`,
  retryableIds: "SELECT id FROM captures WHERE status <> 'uploading'",
  retryAll: `${AGAIN} WHERE status <> 'uploading'`,
  knownWatched: `SELECT n, known FROM (
     SELECT column1 AS n, CASE
       WHEN EXISTS (SELECT 1 FROM captures WHERE watched = 1 AND ${IS_THAT_FILE}) THEN 'queued'
       WHEN EXISTS (SELECT 1 FROM delivered WHERE watched = 1 AND ${IS_THAT_FILE}) THEN 'delivered'
       WHEN EXISTS (SELECT 1 FROM dismissed WHERE ${IS_THAT_FILE}) THEN 'removed'
     END AS known
     FROM (VALUES ${each("(?, ?, ?, ?)")})
   ) WHERE known IS NOT NULL`,
  wasDelivered: "SELECT 1 FROM delivered WHERE id = ?",
  quickCheck: "PRAGMA quick_check(1)",
  dataVersion: "PRAGMA data_version",
  shrinkMemory: "PRAGMA shrink_memory",
  bringIn: "PRAGMA wal_checkpoint(TRUNCATE)",
  agent: "SELECT * FROM agent",
  setAgent:
    `UPDATE agent SET pid = ?, server_url = ?, server_state = ?, server_reason = ?, server_since = ?`,
  requestSync: "UPDATE agent SET sync_requested = sync_requested + 1",
  completeSync: "UPDATE agent SET sync_completed = ?",
};

/** The statements by name. */
export type Statements = Readonly<Record<keyof typeof STATEMENTS, Statement>>;

/** Splits what there is into as many at a time as one statement takes. */
export function* together<T>(all: T[]): Generator<T[]> {
  for (let at = 0; at < all.length; at += TOGETHER) {
    yield all.slice(at, at + TOGETHER);
  }
}

/** Fills up the parameters of a statement for {@linkcode TOGETHER} captures: no row has the id NULL. */
export function filledUp(values: SqlValue[], eachHas: number): SqlValue[] {
  const missing = TOGETHER * eachHas - values.length;
  return missing > 0 ? [...values, ...Array(missing).fill(null)] : values;
}

/**
 * Returns the statements of a connection. Each is prepared when it is used first,
 * for no command needs many of them, and once: preparing per call leaks in one
 * engine.
 */
export function statementsOf(database: Connection): Statements {
  const statements = {};
  for (const [name, sql] of Object.entries(STATEMENTS)) {
    Object.defineProperty(statements, name, {
      configurable: true,
      get() {
        const value = database.prepare(sql);
        Object.defineProperty(statements, name, { value });
        return value;
      },
    });
  }
  return statements as Statements;
}
