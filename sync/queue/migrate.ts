/** Makes sure that a database is a queue, sound, and as this version has it. */

import type { Connection, SqlValue } from "./sqlite.ts";
import { damage, DatabaseError, hasFault } from "./database_error.ts";
import {
  APPLICATION_ID,
  CREATE,
  FIRST_DESIGN_COLUMNS,
  MIGRATE_FIRST_DESIGN,
  MIGRATE_VERSION_1,
  RECOUNT,
  SCHEMA_VERSION,
  TOUCH_ALL,
} from "./schema.ts";

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
  const version = identifyAtOnce(database);
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
    const version = identify(database);
    // Another process may have been faster.
    if (version === SCHEMA_VERSION) return;
    database.exec(version === 1 ? MIGRATE_VERSION_1 : CREATE);
    if (tablesOf(database).includes("queue")) {
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

/** All from one moment: another process may be making the tables. */
function identifyAtOnce(database: Connection): number {
  database.exec("BEGIN");
  // If this fails, whoever opened the database closes it.
  const version = identify(database);
  database.exec("COMMIT");
  return version;
}

/** Returns the version of a queue, 0 for one that is still to be made. */
function identify(database: Connection): number {
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
