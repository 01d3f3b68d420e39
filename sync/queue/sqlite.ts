/**
 * One interface to SQLite, and two engines for it: the native library where one
 * loads, else the one that is built into Deno. Both open the same files.
 *
 * One process must never open the same file through both: each would drop the
 * other's file locks.
 *
 * @module
 */

import { closeOnError } from "../host/try_to.ts";
import { inNumbers, openBuiltin } from "./builtin_sqlite.ts";
import { openNative } from "./native_sqlite.ts";
import { lackOfShmRoom } from "./shm_room.ts";

/** The SQLite in use: a native library, or the one built into Deno. */
export type Engine = "ffi" | "builtin";

/** A value that SQLite keeps and gives back unchanged on either engine. */
export type SqlValue = string | number | null;

/** One row, by column name. */
export type Row = Record<string, SqlValue>;

/** A prepared statement; must not be used once its database is closed. */
export interface Statement {
  /** Executes it and returns how many rows it changed. */
  run(...parameters: SqlValue[]): number;
  /** Returns the first row, or `undefined`. */
  get<T = Row>(...parameters: SqlValue[]): T | undefined;
  /** Returns all rows. */
  all<T = Row>(...parameters: SqlValue[]): T[];
}

/** A database as an engine opens it; its errors carry nothing but SQLite's words. */
export interface Driver {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): void;
}

/** Opens a file with an engine. */
export type Opener = (path: string, options: OpenDatabaseOptions) => Driver;

export interface OpenDatabaseOptions {
  /** The SQLite to use. @default {the native library where one loads, else the built-in} */
  engine?: Engine;
  /** Whether to open for reading only; the file must exist. @default {false} */
  readonly?: boolean;
  /**
   * Whether a file that is shorter than it says, or has an unreadable schema, is
   * opened all the same, to read the rows that are left.
   *
   * @default {false}
   */
  tolerant?: boolean;
  /**
   * How long a call waits for another process's transaction, in milliseconds, and
   * holds up the thread; then it throws a `DatabaseError` whose fault is `"busy"`.
   *
   * @default {10000}
   */
  busyTimeoutMs?: number;
}

type Fault =
  | "damaged"
  | "full"
  | "busy"
  | "replaced"
  | "parted"
  | "read-only"
  | "other";

/** A call to SQLite failed. */
export class DatabaseError extends Error {
  override name = "DatabaseError";
  /**
   * `damaged` if the file is not a sound database, `full` if the disk has no
   * room, `busy` if another process held the lock for too long, `replaced` if the
   * file was removed or another one has its name, `parted` if that is so of its -wal
   * or -shm: only another process can use the queue then, `read-only` if its disk was
   * made so.
   */
  readonly fault: Fault;

  constructor(message: string, options: { fault: Fault; cause: unknown }) {
    super(message, options);
    this.fault = options.fault;
  }
}

/** Whether an error is SQLite's and of this kind. */
export function hasFault(error: unknown, fault: Fault): boolean {
  return error instanceof DatabaseError && error.fault === fault;
}

/** Returns the error for a damaged database, with a remedy. */
export function damagedError(
  what: string,
  cause: Error = new Error(what),
): DatabaseError {
  const message =
    `the queue is damaged (${what}): "jarvis-agent run" sets it aside when it starts, and so does "sync"`;
  return new DatabaseError(message, { fault: "damaged", cause });
}

/** SQLite's own message, if the error says that the database is damaged. */
export function damageOf(error: unknown): string | undefined {
  if (!hasFault(error, "damaged")) return undefined;
  let innermost = error as Error;
  while (innermost.cause instanceof Error) innermost = innermost.cause;
  return innermost.message;
}

/** The SQLite that this process opens databases with, and its version. */
export function engineInUse(): Connection["engine"] {
  using database = openDatabase(":memory:");
  return database.engine;
}

/**
 * Opens a database file, which is created if need be.
 *
 * @throws {DatabaseError} if the file cannot be opened; its fault is `"full"` if the
 * room that this takes is not there.
 * @throws {Error} if `engine` is `"ffi"` and no native library loads.
 */
export function openDatabase(
  path: string,
  options: OpenDatabaseOptions = {},
): Connection {
  const { busyTimeoutMs = 10_000 } = options;
  const { engine = openNative ? "ffi" : "builtin" } = options;
  const open = engine === "ffi" ? openNative : openBuiltin;
  if (!open) throw new Error("Cannot use the native SQLite: none loads here");
  if (path !== ":memory:") assertShmRoom(path);
  const driver = translated(() => open(path, options));
  return closeOnError(new Connection(driver, engine), (connection) => {
    connection.exec(`PRAGMA busy_timeout = ${Math.floor(busyTimeoutMs)}`);
    if (options.tolerant) connection.exec("PRAGMA writable_schema = ON");
  });
}

/** @throws {DatabaseError} as {@linkcode lackOfShmRoom} says; its fault is `"full"`. */
export function assertShmRoom(path: string, growth = 0): void {
  const lack = lackOfShmRoom(path, growth);
  if (lack) throw new DatabaseError(lack, { fault: "full", cause: path });
}

/** An open database. SQLite's errors are thrown as a `DatabaseError`. */
export class Connection implements Disposable {
  readonly #engine: Engine;
  /** Whether something has shown that the file is damaged. */
  sawDamage = false;
  readonly #driver: Driver;
  #isOpen = true;

  constructor(driver: Driver, engine: Engine) {
    this.#driver = driver;
    this.#engine = engine;
  }

  get engine(): { name: Engine; sqlite: string } {
    const row = this.prepare("SELECT sqlite_version() AS sqlite").get()!;
    return { name: this.#engine, sqlite: String(row.sqlite) };
  }

  /** Executes statements without parameters. */
  exec(sql: string): void {
    this.#translated(() => this.#driver.exec(sql));
  }

  /** Prepares a statement, to be used for the life of the connection. */
  prepare(sql: string): Statement {
    const { run, get, all } = this.#translated(() => this.#driver.prepare(sql));
    return {
      run: (...parameters) => this.#translated(() => run(...parameters)),
      get: <T = Row>(...parameters: SqlValue[]) =>
        this.#translated(() => inNumbers(get<T>(...parameters))),
      all: <T = Row>(...parameters: SqlValue[]) =>
        this.#translated(() => all<T>(...parameters).map(inNumbers)),
    };
  }

  /**
   * Runs `body` in one `BEGIN IMMEDIATE` transaction: all of it is committed,
   * or, if it throws, none. `body` must not be asynchronous.
   */
  transaction<T>(body: () => T): T {
    // Not prepared: a BUSY inside a prepared statement leaves it open in
    // @db/sqlite, and every later COMMIT fails.
    this.exec("BEGIN IMMEDIATE");
    try {
      const result = body();
      this.exec("COMMIT");
      return result;
    } catch (error) {
      try {
        this.exec("ROLLBACK");
      } catch {
        // SQLite has rolled back by itself (disk full, I/O error).
      }
      throw error;
    }
  }

  /** Closes the database. Closing again does nothing. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#driver.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #translated<T>(call: () => T): T {
    try {
      return translated(call);
    } catch (error) {
      this.sawDamage ||= hasFault(error, "damaged");
      throw error;
    }
  }
}

/** Runs a call into SQLite; errors of wrong arguments are not translated. */
function translated<T>(call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (!(cause instanceof Error) || cause instanceof TypeError) throw cause;
    const fault = faultOf(cause);
    if (fault === "damaged") throw damagedError(cause.message, cause);
    throw new DatabaseError(cause.message, { fault, cause });
  }
}

/** By the message, which is all that the two engines' errors have in common. */
function faultOf({ message }: Error): Fault {
  if (/malformed|not a database|unsupported file format/.test(message)) {
    return "damaged";
  }
  if (message.includes("disk is full")) return "full";
  return message.includes("is locked") ? "busy" : "other";
}
