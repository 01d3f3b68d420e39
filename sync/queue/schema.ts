/**
 * The queue's tables, indexes and triggers, and the first design's table.
 *
 * - `captures`: those that are still to be delivered.
 * - `delivered`: the ledger of those that were.
 * - `attempts`: the last attempts for each capture, but the one that delivered it.
 * - `watched_files`: each file of a watched folder as it was last taken over, so
 *   that it is not taken over again; and late sidecars. Keys: see `file_version.ts`.
 * - `counts`: the number of rows by status, and of their bytes, kept by triggers, so
 *   that asking costs the same with a million rows.
 * - `samples`: how many captures waited and were delivered, every few minutes of the
 *   last day.
 * - `room`: empty; inserting into it and deleting leaves free pages in the file.
 * - `agent`: one row, with the identity of this queue, the state of the running agent,
 *   and its view of the server.
 *
 * Times are milliseconds since 1970, UTC. The checks keep out values that no reader
 * expects: another type, a number that JavaScript cannot hold.
 *
 * @module
 */

/** The version of the schema, kept in `PRAGMA user_version`. */
export const SCHEMA_VERSION = 1;

/** Tells a queue from another program's database, in `PRAGMA application_id`: "JRVS". */
export const APPLICATION_ID = 0x4a525653;

/** A column of whole numbers that JavaScript can hold. */
const whole = (name: string, more = "") =>
  `${name} INTEGER ${more} CHECK (abs(${name}) <= ${Number.MAX_SAFE_INTEGER})`;

/** A column that counts, from 0: with room to count on. */
const count = (name: string, more = "") =>
  `${name} INTEGER NOT NULL ${more} CHECK (${name} BETWEEN 0 AND 1000000000)`;

/** A column that is 0 or 1. */
const flag = (name: string) =>
  `${name} INTEGER NOT NULL DEFAULT 0 CHECK (${name} IN (0, 1))`;

/** The identity of one version of a file. */
const VERSION = `${whole("size")}, ${whole("mtime_ms")}, ${
  whole("ctime_ms")
}, sha256 TEXT`;

const TABLES = [
  // `turn`: 0 is ready, 1 is ready after having been snoozed, 2 waits until it is due.
  // The last two stand where they are put in a queue that was made without them.
  `CREATE TABLE captures (
  id TEXT PRIMARY KEY NOT NULL,
  filepath TEXT NOT NULL,
  metadata_json TEXT NOT NULL,
  ${whole("created_at", "NOT NULL")},
  status TEXT NOT NULL DEFAULT 'pending'
    CHECK (status IN ('pending', 'uploading', 'failed')),
  ${count("attempts", "DEFAULT 0")},
  ${whole("first_charged_at")},
  ${whole("last_charged_at")},
  ${count("snoozes", "DEFAULT 0")},
  ${whole("due_at")},
  ${whole("last_attempt")},
  last_error TEXT,
  file_id TEXT,
  ${VERSION},
  ${flag("spooled")},
  ${flag("watched")},
  ${count("priority", "DEFAULT 0")},
  turn INTEGER NOT NULL AS (iif(due_at IS NULL, snoozes > 0, 2))
, hostname TEXT, first_path TEXT) STRICT`,
  `CREATE TABLE delivered (
  id TEXT PRIMARY KEY NOT NULL,
  filepath TEXT NOT NULL,
  ${whole("size")},
  sha256 TEXT,
  server_id TEXT,
  ${whole("delivered_at", "NOT NULL")},
  ${count("attempts_made")},
  ${whole("elapsed_ms")},
  ${whole("http_status")}
) STRICT`,
  `CREATE TABLE attempts (
  capture_id TEXT NOT NULL,
  ${count("nth")},
  ${whole("started_at", "NOT NULL")},
  ${whole("elapsed_ms", "NOT NULL")},
  ${whole("http_status")},
  error TEXT,
  sha256 TEXT,
  PRIMARY KEY (capture_id, nth)
) STRICT, WITHOUT ROWID`,
  `CREATE TABLE watched_files (
  n INTEGER PRIMARY KEY,
  capture_id TEXT NOT NULL,
  filepath TEXT NOT NULL,
  file_id TEXT NOT NULL,
  ${VERSION},
  metadata_sha256 TEXT,
  state TEXT NOT NULL CHECK (state IN ('queued', 'delivered', 'removed')),
  ${whole("since", "NOT NULL")}
) STRICT`,
  `CREATE TABLE counts (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  pending INTEGER NOT NULL DEFAULT 0,
  uploading INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  delivered INTEGER NOT NULL DEFAULT 0,
  enqueued_bytes INTEGER NOT NULL DEFAULT 0,
  watched_bytes INTEGER NOT NULL DEFAULT 0,
  waiting_bytes INTEGER NOT NULL DEFAULT 0
) STRICT`,
  `CREATE TABLE samples (
  ${whole("at", "PRIMARY KEY NOT NULL")},
  ${count("waiting")},
  ${count("delivered")}
) STRICT`,
  "CREATE TABLE room (filler BLOB NOT NULL) STRICT",
  `CREATE TABLE agent (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  queue_id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  ${whole("pid")},
  server_url TEXT,
  server_state TEXT NOT NULL DEFAULT 'unknown',
  server_reason TEXT,
  ${whole("server_since")},
  ${whole("next_probe_at")},
  folders TEXT NOT NULL DEFAULT '[]',
  problem TEXT,
  schedule TEXT,
  bandwidth TEXT,
  ${count("sync_requested", "DEFAULT 0")},
  ${count("sync_completed", "DEFAULT 0")},
  ${count("probes_requested", "DEFAULT 0")},
  ${whole("paused_since")},
  ${whole("paused_until")}
) STRICT`,
];

const INDEXES = [
  // By turn, so that waiting captures are not read to find those that are ready.
  "CREATE INDEX captures_by_turn ON captures (status, turn, created_at)",
  `CREATE INDEX captures_waiting ON captures (due_at)
  WHERE status = 'pending' AND due_at IS NOT NULL`,
  `CREATE INDEX captures_first ON captures (priority DESC, created_at)
  WHERE status = 'pending' AND priority > 0 AND due_at IS NULL`,
  `CREATE INDEX captures_first_newest ON captures (priority DESC, created_at DESC)
  WHERE status = 'pending' AND priority > 0 AND due_at IS NULL`,
  // Files of others that must stay: few have no copy.
  `CREATE INDEX captures_uncopied_path ON captures (filepath)
  WHERE spooled = 0 AND watched = 0`,
  `CREATE INDEX captures_uncopied_file ON captures (file_id)
  WHERE spooled = 0 AND watched = 0`,
  "CREATE INDEX delivered_by_time ON delivered (delivered_at)",
  "CREATE INDEX watched_by_capture ON watched_files (capture_id)",
  "CREATE UNIQUE INDEX watched_by_file ON watched_files (file_id)",
  "CREATE INDEX watched_by_path ON watched_files (filepath)",
];

/** Adds a row to the counts, or takes it off. */
function counting(row: "new" | "old"): string {
  const sign = row === "new" ? "+" : "-";
  const bytes = (name: string, condition: string) =>
    `${name} = ${name} ${sign} iif(${condition}, coalesce(${row}.size, 0), 0)`;
  return `${byStatus(row)},
    ${bytes("enqueued_bytes", `${row}.spooled AND NOT ${row}.watched`)},
    ${bytes("watched_bytes", `${row}.spooled AND ${row}.watched`)},
    ${bytes("waiting_bytes", `${row}.status <> 'failed'`)}`;
}

function byStatus(...rows: ("new" | "old")[]): string {
  const change = (status: string) =>
    rows.map((row) =>
      ` ${row === "new" ? "+" : "-"} (${row}.status = '${status}')`
    ).join("");
  return ["pending", "uploading", "failed"]
    .map((status) => `${status} = ${status}${change(status)}`).join(",\n    ");
}

const TRIGGERS = [
  `CREATE TRIGGER count_insert AFTER INSERT ON captures BEGIN
  UPDATE counts SET ${counting("new")};
END`,
  `CREATE TRIGGER count_delete AFTER DELETE ON captures BEGIN
  UPDATE counts SET ${counting("old")};
END`,
  `CREATE TRIGGER count_update AFTER UPDATE OF status ON captures
WHEN old.status <> new.status BEGIN
  UPDATE counts SET ${byStatus("old", "new")};
END`,
  `CREATE TRIGGER count_failed AFTER UPDATE OF status ON captures
WHEN (old.status = 'failed') <> (new.status = 'failed') BEGIN
  UPDATE counts SET waiting_bytes = waiting_bytes
    + iif(old.status = 'failed', 1, -1) * coalesce(new.size, 0);
END`,
  // Of all time: pruning the ledger does not change it.
  `CREATE TRIGGER count_delivered AFTER INSERT ON delivered BEGIN
  UPDATE counts SET delivered = delivered + 1;
END`,
];

/** Everything that a queue has, as `sqlite_schema` shows it. */
export const OBJECTS: readonly string[] = [...TABLES, ...INDEXES, ...TRIGGERS];

/** Makes an empty database one of version {@linkcode SCHEMA_VERSION}. */
export const CREATE = `${OBJECTS.join(";\n")};
INSERT INTO counts (one) VALUES (1);
INSERT INTO agent (one) VALUES (1);
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** The columns of the first design's table `queue`. */
export const FIRST_DESIGN_COLUMNS: readonly string[] =
  "id filepath metadata_json created_at attempts last_attempt status".split(
    " ",
  );

/**
 * The milliseconds since 1970 of an ISO 8601 text; without a zone it is UTC. NULL
 * if it is unreadable. No date has so many that JavaScript could not hold it.
 */
const millis = (column: string) =>
  `CAST(round((julianday(${column}) - 2440587.5) * 86400000) AS INTEGER)`;

/** A text without a NUL, which would end it for some readers; a blob is read as one. */
const text = (column: string) =>
  `replace(CAST(${column} AS TEXT), char(0), '')`;

/**
 * Takes over every row of the first design's table `queue`. Empty and unreadable
 * values get a usable one; a row tried less than a minute ago goes on waiting.
 */
export const MIGRATE_FIRST_DESIGN = `
INSERT INTO captures
  (id, filepath, metadata_json, created_at, attempts, last_attempt, status, due_at)
SELECT
  iif(typeof(id) = 'text' AND instr(id, char(0)) = 0, id, lower(hex(randomblob(16)))),
  coalesce(${text("filepath")}, ''),
  coalesce(${text("metadata_json")}, '{}'),
  coalesce(${
  millis("created_at")
}, CAST(strftime('%s', 'now') AS INTEGER) * 1000),
  min(max(coalesce(CAST(attempts AS INTEGER), 0), 0), 1000),
  ${millis("last_attempt")},
  iif(status IN ('pending', 'uploading', 'failed'), status, 'pending'),
  iif(status IN ('uploading', 'failed'), NULL, ${
  millis("last_attempt")
} + 60000)
FROM queue ORDER BY rowid;
DROP TABLE queue;
`;
