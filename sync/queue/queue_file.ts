import { dirname, resolve } from "@std/path";
import { RESERVE } from "../host/data_dir_paths.ts";
import { fileSize } from "../host/files.ts";
import { messageOf } from "../host/message_of.ts";
import { createPrivateDir, createPrivateFile } from "../host/private_files.ts";
import { UnreachableError } from "../host/reach.ts";
import { tryTo } from "../host/try_to.ts";
import { Ballast } from "./ballast.ts";
import { CopyToLook } from "./copy_to_look.ts";
import { assertQueue, prepareSchema } from "./migrate.ts";
import { assertNotAbandoned, QueuePlace } from "./queue_place.ts";
import {
  assertShmRoom,
  type Connection,
  DatabaseError,
  hasFault,
  openDatabase,
  type OpenDatabaseOptions,
} from "./sqlite.ts";
import { asReadOnly, obstacleOf } from "./queue_obstacle.ts";
import { prepareStatements, type Statements } from "./statements.ts";

/** By how much the -wal grows with a transaction, as a rule, in bytes. */
const TRANSACTION_BYTES = 1024 * 1024;

export interface QueueFileOptions
  extends Pick<OpenDatabaseOptions, "engine" | "busyTimeoutMs"> {
  /**
   * The size of the ballast, in bytes: disk space kept for the queue itself in a file
   * `PATH-reserve`. With it captures can be marked, delivered and removed when the
   * disk is full; 8 MiB are enough.
   *
   * @default {0}
   */
  reserveBytes?: number;
  /**
   * Whether the queue is only looked at: the ballast is not taken, and given up where
   * the disk has no room even to read; where nothing can be written beside the file a
   * copy of it is read. Findings about files are not recorded.
   *
   * @default {false}
   */
  looksOnly?: boolean;
}

/** A queue's database file, open: its statements, and transactions for which there is room. */
export class QueueFile implements Disposable {
  readonly path: string;
  readonly looksOnly: boolean;
  readonly database: Connection;
  /** Must not be used once the file is closed. */
  readonly sql: Statements;
  readonly #place: QueuePlace;
  readonly #ballast: Ballast | undefined;
  #copy: CopyToLook | undefined;

  /**
   * Opens the file; creates it, or migrates it, if need be, and closes it to
   * other users.
   *
   * @throws {DatabaseError} if SQLite cannot open it.
   * @throws {Error} if it is not a file, belongs to another program, or was
   * written by a newer version; then it is left untouched.
   */
  constructor(path: string, options: QueueFileOptions) {
    const { reserveBytes = 0, looksOnly = false } = options;
    this.path = path;
    this.looksOnly = looksOnly;
    if (reserveBytes > 0) {
      this.#ballast = new Ballast(path + RESERVE, reserveBytes);
    }
    [this.database, this.sql] = looksOnly
      ? this.#openToLook(options)
      : this.#open(options);
    this.#place = new QueuePlace(path, { isCopy: this.#copy !== undefined });
    if (looksOnly) return;
    this.#ballast?.take();
    if (this.#ballast?.held === 0 && this.#ballast.isNeeded) {
      this.#seizeRoom(this.#ballast);
    }
  }

  /**
   * Runs a transaction that takes something into the queue. It gets none of the
   * ballast's room, which is for the captures in the queue.
   *
   * @throws {DatabaseError} if another file took the name of one of its files meanwhile:
   * a process that opens the queue now would not find these captures.
   * @throws {UnreachableError} if nobody can tell now; nothing is done then.
   */
  append<T>(body: (sql: Statements) => T): T {
    this.assertInPlace();
    const result = this.#transaction(body);
    try {
      this.assertInPlace();
    } catch (error) {
      // They are in the queue: whoever was told otherwise would add them again.
      if (!(error instanceof UnreachableError)) throw error;
    }
    return result;
  }

  /** As {@linkcode QueuePlace.assertHeld}. */
  assertInPlace(): void {
    this.#place.assertHeld();
  }

  /**
   * Runs a transaction on captures in the queue, on a full disk too.
   *
   * @throws {DatabaseError} if a file was removed or replaced: the spool beside it
   * may be another one, whose lack of a copy says nothing of this queue's captures.
   * @throws {UnreachableError} if nobody can tell now.
   */
  write<T>(body: (sql: Statements) => T): T {
    this.assertInPlace();
    try {
      return this.#transaction(body);
    } catch (error) {
      if (!this.#makeRoom(error)) throw error;
      return this.#transaction(body);
    } finally {
      this.#ballast?.take();
    }
  }

  #open(options: QueueFileOptions): [Connection, Statements] {
    try {
      return open(this.path, options);
    } catch (error) {
      if (!this.#isFull(error)) throw error;
      // Opening needs room for the -shm: give up the ballast and try again.
      if (this.#ballast?.drop()) return this.#open(options);
      if (hasFault(error, "full")) throw error;
      const message = `${messageOf(error)}: the disk is full`;
      throw new DatabaseError(message, { fault: "full", cause: error });
    }
  }

  #openToLook(options: QueueFileOptions): [Connection, Statements] {
    try {
      return this.#open(options);
    } catch (error) {
      const { cause } = error as Error;
      const isObstacle = hasFault(error, "other") || hasFault(error, "full") ||
        cause instanceof Error && "code" in cause;
      if (!isObstacle) throw error;
      try {
        this.#copy = new CopyToLook(this.path);
        return open(this.#copy.path, options);
      } catch {
        this.#copy?.[Symbol.dispose]();
        throw error;
      }
    }
  }

  #transaction<T>(body: (sql: Statements) => T): T {
    try {
      assertShmRoom(this.path, TRANSACTION_BYTES);
      return this.database.transaction(() => body(this.sql));
    } catch (error) {
      throw asReadOnly(this.path, error);
    }
  }

  #makeRoom(error: unknown): boolean {
    if (this.#isFull(error) && this.#ballast?.drop()) {
      this.#seizeRoom(this.#ballast);
      return true;
    }
    if (!hasFault(error, "full")) return false;
    // Cutting the -wal back frees room too; if not, the next attempt reports why.
    tryTo(() => this.sql.truncateWal.get());
    return true;
  }

  /**
   * Makes the file and its -wal grow before another program takes the room that the
   * ballast has left, and checkpoints often to keep the -wal small.
   */
  #seizeRoom(ballast: Ballast): void {
    const bytes = Math.floor(ballast.room / 4);
    // If it fails, it goes on with the room that is left.
    tryTo(() => {
      this.database.exec("PRAGMA wal_autocheckpoint = 64");
      const sql =
        `INSERT INTO room VALUES (zeroblob(${bytes})); DELETE FROM room`;
      this.#transaction(() => this.database.exec(sql));
    });
  }

  #isFull(error: unknown): boolean {
    // Without room for its -shm SQLite speaks of an I/O error.
    return hasFault(error, "full") ||
      (hasFault(error, "other") && this.#ballast?.isNeeded === true);
  }

  [Symbol.dispose](): void {
    if (this.#place.isParted) return this.#place.abandon(this, this.#ballast);
    try {
      // Makes the next agent check all of it, as after a crash.
      if (this.database.sawDamage) this.sql.suspect.run();
    } catch {
      // The damage will show when it is opened.
    }
    this.database.close();
    this.#copy?.[Symbol.dispose]();
  }
}

function open(
  path: string,
  options: OpenDatabaseOptions,
): [Connection, Statements] {
  try {
    createPrivateDir(dirname(resolve(path)));
    assertNotAbandoned(path);
    if (fileSize(path)) inspect(path, options);
    createPrivateFile(path);
    const database = openDatabase(path, options);
    try {
      prepareSchema(database);
      return [database, prepareStatements(database)];
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (cause) {
    const reason = obstacleOf(path, cause);
    const message = `Cannot open the queue "${path}": ${reason}`;
    throw cause instanceof DatabaseError
      ? new DatabaseError(message, { fault: cause.fault, cause })
      : new Error(message, { cause });
  }
}

/** Refuses a file that must stay as it is, before anything of it is changed. */
function inspect(path: string, options: OpenDatabaseOptions): void {
  // Closing a writable database last merges its -wal.
  const readonly = Boolean(fileSize(`${path}-wal`));
  using database = openDatabase(path, { ...options, readonly });
  assertQueue(database);
}
