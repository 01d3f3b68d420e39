import {
  type CaptureStatus,
  idOf,
  type QueuedCapture,
  toCapture,
  whole,
} from "./capture_row.ts";
import { findDamage } from "./migrate.ts";
import {
  capturesByAge,
  type DeliveredEntry,
  deliveriesByTime,
  findById,
  findByPath,
  type Found,
  oldestMs,
  PAGE,
} from "./queue_history.ts";
import type { QueueFile } from "./queue_file.ts";
import { damagedError, type Engine } from "./sqlite.ts";
import type { Statements } from "./statements.ts";
import { MAX_BACKOFF_MS } from "./transitions.ts";

/** How many captures there are by status; `delivered` are all that ever were. */
export type QueueStats = Record<CaptureStatus | "delivered", number>;

/** The queries of a queue, which change nothing. */
export class QueueReader implements Disposable {
  /** The database file. */
  readonly path: string;
  protected readonly file: QueueFile;
  protected readonly sql: Statements;
  /** The wall clock, in milliseconds since 1970. */
  protected readonly now: () => number;

  constructor(file: QueueFile, now: () => number) {
    this.path = file.path;
    this.file = file;
    this.sql = file.sql;
    this.now = now;
  }

  /** Which SQLite is in use, and its version. */
  get engine(): { name: Engine; sqlite: string } {
    const sqlite = String(this.sql.sqliteVersion.get()!.version);
    return { name: this.file.database.engine, sqlite };
  }

  /** Returns the counts by status, zeroes included; costs the same for any number. */
  getStats(): QueueStats {
    return { ...this.sql.stats.get()! } as QueueStats;
  }

  /**
   * How many bytes the captures with a copy in the spool have, all or those that a
   * watched folder brought; costs the same for any number.
   */
  spooledBytes(which: "all" | "watched" = "all"): number {
    const row = this.sql.spooledBytes.get()!;
    const enqueued = which === "all" ? Number(row.enqueued_bytes) : 0;
    return enqueued + Number(row.watched_bytes);
  }

  /** How many bytes are pending or being sent, as far as it is known; costs the same for any number. */
  waitingBytes(): number {
    return Number(this.sql.waitingBytes.get()!.n);
  }

  /**
   * When the oldest capture that is pending or being sent was handed over, in
   * milliseconds since 1970, or `null`.
   */
  oldestPendingMs(): number | null {
    return oldestMs(this.sql);
  }

  /** In how many milliseconds the next waiting capture is due: `null` if none waits. */
  nextDueMs(): number | null {
    const row = this.sql.firstDue.get();
    if (!row) return null;
    const waitMs = (whole(row.due_at) ?? 0) - this.now();
    return Math.min(Math.max(waitMs, 0), MAX_BACKOFF_MS);
  }

  /**
   * All captures, or those of one status, oldest first; some hundreds are in memory
   * at a time.
   *
   * @param options `sinceMs` leaves out captures that were handed over before.
   */
  captures(
    options: { status?: CaptureStatus | undefined; sinceMs?: number } = {},
  ): Generator<QueuedCapture> {
    return capturesByAge(this.sql, options);
  }

  /** The deliveries that are remembered, the latest first. */
  deliveries(sinceMs = -Infinity): Generator<DeliveredEntry> {
    return deliveriesByTime(this.sql, sinceMs);
  }

  /** All captures with a copy in the spool, some hundreds at a time. */
  *spooled(): Generator<QueuedCapture[]> {
    let after = "0";
    for (
      let rows;
      (rows = this.sql.spooledAfter.all(after, PAGE)).length > 0;
    ) {
      yield rows.map(toCapture);
      after = String(rows.at(-1)!.rowid);
    }
  }

  /** What has this id, or one that begins so, with four characters at least; 20 of each kind at most. */
  findById(start: string): Found {
    return findById(this.sql, start);
  }

  /** Captures of this file, some of them if there are many. Reads all of the queue. */
  findByPath(path: string): Found {
    return findByPath(this.sql, path);
  }

  /** Returns one capture, or `undefined`. */
  get(id: string): QueuedCapture | undefined {
    const row = this.sql.get.get(id);
    return row && toCapture(row);
  }

  /** The ids of what {@linkcode UploadQueue.cleanupOld} would remove. */
  oldFailed(days: number): string[] {
    if (!(days >= 0)) {
      throw new RangeError(
        `Cannot clean up captures older than ${days} days: expected 0 or more`,
      );
    }
    const before = this.now() - days * 86_400_000;
    return this.sql.oldFailed.all(before).map(idOf);
  }

  /** What is damaged in the database file, or `null` if it is sound. Reads all of it. */
  findDamage(): string | null {
    const { database } = this.file;
    const found = findDamage(database);
    database.sawDamage ||= found !== null;
    return found === null ? null : damagedError(found).message;
  }

  /**
   * A number that changes when another process has changed the queue.
   *
   * @throws {DatabaseError} if the file was removed or replaced: other processes then
   * use another queue, whose captures this one would never see.
   */
  dataVersion(): number {
    this.file.assertInPlace();
    return Number(this.sql.dataVersion.get()!.data_version);
  }

  /** Frees SQLite's page cache, up to 4 MB. */
  freeMemory(): void {
    this.sql.shrinkMemory.get();
  }

  /** Closes the database. Closing again does nothing. */
  close(): void {
    this.file[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
