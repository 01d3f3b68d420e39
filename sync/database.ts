/**
 * Which SQLite: opens a database on whatever this host offers.
 *
 * `@db/sqlite` calls a native library and loads it as soon as it is imported;
 * by itself it would download one. So a library is looked for first, and only
 * if one loads is the module imported. Otherwise Deno's built-in `node:sqlite`
 * opens the same file, and where {@linkcode preferBuiltin} was called. Both are
 * held to one small interface.
 *
 * One process must never open the same file through both: each would drop the
 * other's file locks.
 *
 * @module
 */

import type { Database } from "@db/sqlite";
import { join } from "@std/path";
import { DatabaseSync } from "node:sqlite";
import { translated } from "./database_error.ts";
import { wantsNative } from "./engine_choice.ts";

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
   * @default {the native library where one loads, else the built-in}
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

const ffi = await loadFfi();

/** The engine that is used where none is asked for. */
export const defaultEngine: Engine = ffi.Database ? "ffi" : "builtin";

/** The native library in use, or why there is none. */
export const engineDetail: string = ffi.detail;

/**
 * Opens a database file, which is created if need be.
 *
 * @throws {Error} if the file cannot be opened, or if `engine` is `"ffi"` and
 * no native library loads.
 */
export function openDatabase(
  path: string,
  options: OpenDatabaseOptions = {},
): Connection {
  const { engine = defaultEngine } = options;
  const connection = engine === "ffi"
    ? new FfiConnection(path, options)
    : new BuiltinConnection(path, options);
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
abstract class BaseConnection {
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

class FfiConnection extends BaseConnection implements Connection {
  readonly engine = "ffi";
  readonly #database: Database;
  readonly #statements: { finalize(): void }[] = [];
  #open = true;

  constructor(path: string, { readonly = false }: OpenDatabaseOptions) {
    super();
    const { Database, detail } = ffi;
    if (!Database) throw new Error(`Cannot use the native SQLite: ${detail}`);
    // int64: without it, integers above 32 bits are read wrong.
    this.#database = translated(() =>
      new Database(path, {
        int64: true,
        parseJson: false,
        ...(readonly && { readonly }),
      })
    );
  }

  exec(sql: string): void {
    translated(() => this.#database.exec(sql));
  }

  prepare(sql: string): Statement {
    const statement = translated(() => this.#database.prepare<Row>(sql));
    this.#statements.push(statement);
    return {
      run: (...parameters) => translated(() => statement.run(...parameters)),
      get: (...parameters) => translated(() => statement.get(...parameters)),
      all: (...parameters) => translated(() => statement.all(...parameters)),
    };
  }

  // Statements first: using one after close() crashes the process.
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const statement of this.#statements) {
      try {
        statement.finalize();
      } catch {
        // It says again what its last execution has said.
      }
    }
    this.#database.close();
  }
}

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

interface Ffi {
  Database?: typeof Database;
  detail: string;
}

async function loadFfi(): Promise<Ffi> {
  if (!wantsNative()) return { detail: "it was not asked for" };
  const allowed = await Deno.permissions.query({ name: "ffi" });
  if (allowed.state !== "granted") {
    return { detail: "no permission for native libraries" };
  }
  const path = libraryCandidates().find(loads);
  if (path === undefined) return { detail: "no native library loads here" };
  const before = Deno.env.get("DENO_SQLITE_PATH");
  Deno.env.set("DENO_SQLITE_PATH", path);
  try {
    const { Database } = await import("@db/sqlite");
    return { Database, detail: path };
  } catch (error) {
    return { detail: error instanceof Error ? error.message : String(error) };
  } finally {
    // Children of this process should look for themselves.
    if (before === undefined) Deno.env.delete("DENO_SQLITE_PATH");
  }
}

/** Where a library may be, in the order of preference. */
function libraryCandidates(): string[] {
  const os = Deno.build.os;
  const [embedded, system] = os === "windows"
    ? ["sqlite3.dll", "winsqlite3.dll"]
    : os === "darwin"
    ? ["libsqlite3.dylib", "libsqlite3.dylib"]
    : ["libsqlite3.so", "libsqlite3.so.0"];
  const here = import.meta.dirname;
  return [
    Deno.env.get("DENO_SQLITE_PATH"),
    // Without "..": an executable knows its files by their plain paths only.
    here && join(here, "..", "lib", embedded),
    system,
  ].filter((path): path is string => Boolean(path));
}

function loads(path: string): boolean {
  try {
    Deno.dlopen(path, {
      sqlite3_libversion: { parameters: [], result: "pointer" },
    }).close();
    return true;
  } catch {
    return false;
  }
}
