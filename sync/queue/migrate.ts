/** Makes sure that a database is a queue, as this version has it, and finds damage. */

import { pauseSync } from "../host/lock.ts";
import { tryTo } from "../host/try_to.ts";
import {
  type Connection,
  damagedError,
  damageOf,
  hasFault,
  type SqlValue,
} from "./sqlite.ts";
import {
  APPLICATION_ID,
  CREATE,
  FIRST_DESIGN_COLUMNS,
  MIGRATE_FIRST_DESIGN,
  OBJECTS,
  SCHEMA_VERSION,
} from "./schema.ts";

/** What a queue of this version may have been made without, in the schema's order. */
const ADDED_COLUMNS = ["hostname", "first_path"];

/** How many milliseconds apart the journal's mode is tried to be set. */
const SWITCH_WAIT_MS = 10;

/**
 * Makes sure that a database is a queue, or empty, and not of a newer version.
 * Reads only.
 *
 * @throws {Error} if it is not.
 */
export function assertQueue(database: Connection): void {
  // All from one moment: another process may be making the tables.
  database.exec("BEGIN");
  // If this fails, the caller closes the database.
  versionOf(database);
  database.exec("COMMIT");
}

/**
 * Makes a database ready for the queue: its durability, its tables, its version.
 *
 * @throws {DatabaseError} whose `fault` is `"damaged"` if a part of it is missing.
 */
export function prepareSchema(database: Connection): void {
  switchToWal(database);
  database.exec(
    // On macOS only a full sync reaches the disk. After a large transaction the -wal
    // is cut back to 16 MiB.
    "PRAGMA synchronous = FULL; PRAGMA fullfsync = 1; PRAGMA journal_size_limit = 16777216",
  );
  const isMade = readPragma(database, "user_version") === SCHEMA_VERSION;
  if (!isMade || missingColumns(database).length > 0) {
    database.transaction(() => {
      // Another process may have been faster.
      if (versionOf(database) === SCHEMA_VERSION) {
        return missingColumns(database).forEach((name) =>
          database.exec(`ALTER TABLE captures ADD COLUMN ${name} TEXT`)
        );
      }
      database.exec(CREATE);
      if (tablesOf(database).includes("queue")) {
        database.exec(MIGRATE_FIRST_DESIGN);
      }
    });
  }
  assertComplete(database);
}

function missingColumns(database: Connection): string[] {
  const columns = columnsOf(database, "captures");
  // Without the table it is damaged, or still to be made.
  if (columns.length === 0) return [];
  return ADDED_COLUMNS.filter((name) => !columns.includes(name));
}

/** Returns the queue's own id: `null` if it is no queue, `undefined` if it cannot be read. Reads only. */
export function readQueueId(database: Connection): string | null | undefined {
  return tryTo(() => {
    if (readPragma(database, "application_id") !== APPLICATION_ID) return null;
    const row = database.prepare("SELECT queue_id FROM agent").get();
    return String(row?.queue_id);
  });
}

/**
 * The damage to a database, or `null` if it is sound. Reads all of it. A row that the
 * schema forbids is damage, too.
 */
export function findDamage(database: Connection): string | null {
  try {
    const found = String(
      database.prepare("PRAGMA quick_check(1)").get()!.quick_check,
    );
    return found === "ok" ? null : found;
  } catch (error) {
    const damage = damageOf(error);
    if (damage === undefined) throw error;
    return damage;
  }
}

/** A missing trigger would not be noticed otherwise. */
function assertComplete(database: Connection): void {
  const objects = database.prepare("SELECT type, sql FROM sqlite_master").all();
  const missing = OBJECTS.find((own) =>
    !objects.some(({ sql }) => sql === own)
  );
  if (missing) throw damagedError(`it lacks ${missing.split("\n")[0]}`);
  // They would run with each statement.
  const foreign = objects.find(({ type, sql }) =>
    (type === "trigger" || type === "view") && !OBJECTS.includes(String(sql))
  );
  if (foreign) {
    throw damagedError(`it has a ${foreign.type} of another program`);
  }
  // Each statement counts on them.
  const { agents, counts } = database.prepare(
    `SELECT (SELECT count(*) FROM agent) AS agents, (SELECT count(*) FROM counts
    WHERE min(pending, uploading, failed, delivered) >= 0) AS counts`,
  ).get()!;
  if (agents !== 1) throw damagedError("it lacks the agent's row");
  if (counts !== 1) throw damagedError("it lacks its counts");
}

/**
 * Returns the version of a queue, 0 for one that is still to be made.
 *
 * @throws {Error} if it is newer, or belongs to another program.
 */
function versionOf(database: Connection): number {
  const version = Number(readPragma(database, "user_version"));
  if (version > SCHEMA_VERSION) {
    throw new Error(
      `it has version ${version} and this program knows up to ${SCHEMA_VERSION}: ` +
        "use the newer program that wrote it",
    );
  }
  const isOurs = version > 0
    ? readPragma(database, "application_id") === APPLICATION_ID
    : tablesOf(database).length === 0 || isFirstDesign(database);
  if (isOurs) return version;
  const [first] = tablesOf(database);
  const shown = first === undefined ? "" : ` (table "${first}")`;
  throw new Error(`it belongs to another program${shown}`);
}

function tablesOf(database: Connection): string[] {
  return database.prepare(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  ).all().map(({ name }) => String(name));
}

/** Whether there is a table `queue` with all that the first design put into it. */
function isFirstDesign(database: Connection): boolean {
  const columns = columnsOf(database, "queue");
  return FIRST_DESIGN_COLUMNS.every((column) => columns.includes(column));
}

/** The columns of a table, but for those that are computed. */
export function columnsOf(database: Connection, table: string): string[] {
  return database.prepare("SELECT name FROM pragma_table_info(?)").all(table)
    .map(({ name }) => String(name));
}

function readPragma(
  database: Connection,
  name: "user_version" | "application_id" | "journal_mode",
): SqlValue {
  return database.prepare(`PRAGMA ${name}`).get()![name] as SqlValue;
}

/**
 * Several processes that do this at once may be told that the database is locked,
 * without the wait that `busy_timeout` gives them everywhere else.
 */
function switchToWal(database: Connection): void {
  const { timeout } = database.prepare("PRAGMA busy_timeout").get()!;
  const until = performance.now() + Number(timeout);
  while (readPragma(database, "journal_mode") !== "wal") {
    try {
      database.exec("PRAGMA journal_mode = WAL");
    } catch (error) {
      if (!hasFault(error, "busy") || performance.now() > until) throw error;
      pauseSync(SWITCH_WAIT_MS);
    }
  }
}
