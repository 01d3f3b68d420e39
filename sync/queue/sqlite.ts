/**
 * Which SQLite: Deno's built-in `node:sqlite`, or a native library where
 * `native_sqlite.ts` has loaded one. Both open the same files, and are held to
 * one small interface.
 *
 * One process must never open the same file through both: each would drop the
 * other's file locks.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { translated } from "./database_error.ts";

/** Which SQLite is in use: a native library, or the one built into Deno. */
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
  get(...parameters: SqlValue[]): Row | undefined;
  /** Returns all rows. */
  all(...parameters: SqlValue[]): Row[];
}

/** An open database. Whatever SQLite refuses is thrown as a `DatabaseError`. */
export interface Connection extends Disposable {
  readonly engine: Engine;
  /** Executes statements without parameters. */
  exec(sql: string): void;
  /** Prepares a statement, to be used for the life of the connection. */
  prepare(sql: string): Statement;
  /**
   * Runs `body` in one `BEGIN IMMEDIATE` transaction: all of it is committed,
   * or, if it throws, none. `body` must not be asynchronous.
   */
  transaction<T>(body: () => T): T;
  /** Runs a statement that is a transaction by itself: all of it is committed, or none. */
  runAlone(statement: Statement, parameters: SqlValue[]): void;
  /** Closes the database. Closing again does nothing. */
  close(): void;
}

/** Options for {@linkcode openDatabase}. */
export interface OpenDatabaseOptions {
  /**
   * Which SQLite to use.
   *
   * @default {the native library where one is loaded, else the built-in}
   */
  engine?: Engine;
  /**
   * Whether to open for reading only; the file must exist.
   *
   * @default {false}
   */
  readonly?: boolean;
  /**
   * Whether a file that is shorter than it says, or has an unreadable schema, is
   * opened all the same, to read what is left of it.
   *
   * @default {false}
   */
  tolerant?: boolean;
}

/** How long to wait for another process's transaction, in milliseconds. */
const BUSY_TIMEOUT_MS = 10_000;

/** Opens a database file through one of the engines. */
export type Opener = (path: string, options: OpenDatabaseOptions) => Connection;

let openNative: Opener | undefined;

/**
 * Makes the native library what this process opens databases through. To be
 * called before it opens the first one.
 */
export function useNative(open: Opener): void {
  openNative = open;
}

/** The engine that is used where none is asked for. */
export function defaultEngine(): Engine {
  return openNative ? "ffi" : "builtin";
}

/**
 * Opens a database file, which is created if need be.
 *
 * @throws {Error} if the file cannot be opened, or if `engine` is `"ffi"` and
 * no native library is loaded.
 */
export function openDatabase(
  path: string,
  options: OpenDatabaseOptions = {},
): Connection {
  const { engine = defaultEngine() } = options;
  const open = engine === "ffi" ? openNative : openBuiltin;
  if (!open) throw new Error("Cannot use the native SQLite: none is loaded");
  const connection = open(path, options);
  try {
    connection.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    if (options.tolerant) connection.exec("PRAGMA writable_schema = ON");
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

/** What the engines have in common. */
export abstract class BaseConnection {
  abstract exec(sql: string): void;
  abstract close(): void;

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

  // Outside a transaction a BUSY would leave the statement open, see above.
  runAlone(statement: Statement, parameters: SqlValue[]): void {
    this.transaction(() => statement.run(...parameters));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const openBuiltin: Opener = (path, options) =>
  new BuiltinConnection(path, options);

class BuiltinConnection extends BaseConnection implements Connection {
  readonly engine = "builtin";
  readonly #database: DatabaseSync;
  #open = true;

  constructor(path: string, options: OpenDatabaseOptions) {
    super();
    const { readonly = false, tolerant = false } = options;
    // Where it is on by default, being defensive forbids being tolerant.
    const settings = { readOnly: readonly, ...(tolerant && NOT_DEFENSIVE) };
    this.#database = translated(() => new DatabaseSync(path, settings));
  }

  exec(sql: string): void {
    translated(() => this.#database.exec(sql));
  }

  // Whatever it says, node:sqlite leaves no statement open: then BEGIN and
  // COMMIT can be spared, which are a twentieth of what a row takes.
  override runAlone(statement: Statement, parameters: SqlValue[]): void {
    statement.run(...parameters);
  }

  prepare(sql: string): Statement {
    const statement = translated(() => {
      try {
        return this.#database.prepare(sql);
      } catch (error) {
        // All that older Denos say. This does nothing but to say why.
        const says = error instanceof Error ? error.message : "";
        if (says === "failed to prepare statement") this.exec(`EXPLAIN ${sql}`);
        throw error;
      }
    });
    return {
      run: (...parameters) =>
        translated(() => Number(statement.run(...parameters).changes)),
      get: (...parameters) =>
        translated(() => statement.get(...parameters) as Row | undefined),
      all: (...parameters) =>
        translated(() => statement.all(...parameters) as Row[]),
    };
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#database.close();
  }
}

const NOT_DEFENSIVE = { defensive: false };
