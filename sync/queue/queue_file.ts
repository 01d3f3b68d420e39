import { dirname, resolve } from "@std/path";
import { createPrivateDir, createPrivateFile } from "../host/data_dir.ts";
import {
  type Connection,
  type Engine,
  openDatabase,
  type OpenDatabaseOptions,
  type SqlValue,
  type Statement,
} from "./sqlite.ts";
import { DatabaseError, hasFault } from "./database_error.ts";
import { Reserve } from "./ballast.ts";
import {
  assertQueue,
  assertWhole,
  prepareSchema,
  seizeRoom,
} from "./migrate.ts";
import { type Statements, statementsOf } from "./statements.ts";

/** Options for {@linkcode QueueFile}. */
export interface QueueFileOptions {
  /** Which SQLite to use; see `openDatabase`. */
  engine?: Engine;
  /**
   * How much room on the disk is kept for the queue itself, in bytes, in a file
   * `PATH-reserve` beside it. With it captures can be marked, delivered and
   * removed when the disk is full; 8 MiB are enough.
   *
   * @default {0}
   */
  reserveBytes?: number;
}

/** A queue's database file, open: its statements, and transactions for which there is room. */
export class QueueFile implements Disposable {
  readonly path: string;
  readonly #open: OpenFile;
  readonly #reserve: Reserve | undefined;

  /**
   * Opens the file; creates it, or migrates it, if need be, and closes it to
   * other users.
   *
   * @throws {DatabaseError} if SQLite cannot open it.
   * @throws {Error} if it is not a file, belongs to another program, or was
   * written by a newer version; then it is left untouched.
   */
  constructor(path: string, options: QueueFileOptions) {
    const { reserveBytes = 0 } = options;
    this.path = path;
    if (reserveBytes > 0) {
      this.#reserve = new Reserve(`${path}-reserve`, reserveBytes);
    }
    try {
      this.#open = open(path, options);
    } catch (error) {
      // Even to be opened a database needs a little room.
      if (!this.#giveReserve(error)) throw error;
      this.#open = open(path, options);
    }
    this.#reserve?.take();
    if (this.#reserve?.isHeld === false && this.#reserve.isNeeded) {
      this.#seizeRoom();
    }
  }

  get engine(): Engine {
    return this.#open.database.engine;
  }

  /** The statements; not to be used once the file is closed. */
  get sql(): Statements {
    return this.#open.sql;
  }

  /**
   * Runs a transaction that takes something into the queue. It gets none of the
   * reserve, which is for what is in the queue already.
   *
   * @throws {Error} if another file took this one's name meanwhile: whoever opens
   * the queue now would not find what was put into this one.
   */
  append<T>(body: () => T): T {
    const result = this.#open.database.transaction(body);
    this.#assertInPlace();
    return result;
  }

  /**
   * Does as {@linkcode QueueFile.append} does, with one statement.
   *
   * @throws as {@linkcode QueueFile.append} does.
   */
  appendAlone(statement: Statement, parameters: SqlValue[]): void {
    this.#open.database.runAlone(statement, parameters);
    this.#assertInPlace();
  }

  #assertInPlace(): void {
    if (identityOf(this.path) === this.#open.identity) return;
    throw new Error(
      `Cannot queue captures: "${this.path}" was replaced meanwhile; open it again`,
    );
  }

  /** Runs a transaction on what is in the queue already, on a full disk too. */
  write<T>(body: () => T): T {
    const { database } = this.#open;
    try {
      return database.transaction(body);
    } catch (error) {
      if (!this.#makeRoom(error)) throw error;
      return database.transaction(body);
    } finally {
      this.#reserve?.take();
    }
  }

  #makeRoom(error: unknown): boolean {
    if (this.#giveReserve(error)) return this.#seizeRoom();
    if (!hasFault(error, "full")) return false;
    try {
      // What the -wal holds beyond need is room as well.
      this.sql.bringIn.get();
    } catch {
      // The next attempt says what is the matter.
    }
    return true;
  }

  /** Whatever has filled the disk would fill what was given up just now. */
  #seizeRoom(): true {
    try {
      seizeRoom(this.#open.database, this.#reserve!.bytes / 4);
    } catch {
      // Then what is left must do.
    }
    return true;
  }

  #giveReserve(error: unknown): boolean {
    if (!this.#reserve) return false;
    // Without room for its -shm SQLite speaks of an I/O error.
    const isFull = hasFault(error, "full") ||
      (hasFault(error, "other") && this.#reserve.isNeeded);
    return isFull && this.#reserve.give();
  }

  /** Closes the file. Closing again does nothing. */
  close(): void {
    this.#open.database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

interface OpenFile {
  database: Connection;
  sql: Statements;
  /** What tells this file from another one that takes its name later. */
  identity: number | null;
}

function open(
  path: string,
  options: OpenDatabaseOptions,
): OpenFile {
  try {
    createPrivateDir(dirname(resolve(path)));
    const info = fileInfo(path);
    const isPrivate = info && !isOpenToOthers(info);
    // Any other is looked at when it is open for good: that changes nothing of it.
    if (info?.size && !isPrivate) inspect(path, options);
    if (!isPrivate) createPrivateFile(path);
    const database = openDatabase(path, options);
    try {
      prepareSchema(database);
      assertWhole(database);
      const sql = statementsOf(database);
      return { database, sql, identity: identityOf(path) };
    } catch (error) {
      closeUntouched(database, { path, options });
      throw error;
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `Cannot open the queue "${path}": ${reason}`;
    throw cause instanceof DatabaseError
      ? new DatabaseError(message, { fault: cause.fault, cause })
      : new Error(message, { cause });
  }
}

/** Refuses a file that must stay as it is, before anything of it is changed. */
function inspect(path: string, options: OpenDatabaseOptions): void {
  // Whoever closes a database last brings its -wal in, unless it may only read.
  const readonly = walBytes(path) > 0;
  using database = openDatabase(path, { ...options, readonly });
  assertQueue(database);
}

/** Closes a database that is not to be used after all. */
function closeUntouched(
  database: Connection,
  { path, options }: { path: string; options: OpenDatabaseOptions },
): void {
  let last: Connection | undefined;
  try {
    if (walBytes(path) > 0) {
      // Whoever closes a database last brings its -wal in, unless it may only read.
      last = openDatabase(path, { ...options, readonly: true });
      // What has read nothing yet does not count.
      assertQueue(last);
    }
  } catch {
    // What is wrong is known.
  }
  database.close();
  last?.close();
}

/** The number that the file system has for the file of this name; `null` if there is none. */
function identityOf(path: string): number | null {
  try {
    return Deno.statSync(path).ino;
  } catch {
    return null;
  }
}

function isOpenToOthers({ mode }: Deno.FileInfo): boolean {
  return mode !== null && (mode & 0o077) !== 0;
}

function walBytes(path: string): number {
  return fileInfo(path + "-wal")?.size ?? 0;
}

/** `undefined` if there is no such file. */
function fileInfo(path: string): Deno.FileInfo | undefined {
  try {
    const info = Deno.statSync(path);
    if (!info.isFile) throw new Error("it is not a file");
    return info;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
