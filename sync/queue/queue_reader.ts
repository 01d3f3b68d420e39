import {
  type CaptureStatus,
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
} from "./queue_history.ts";
import type { QueueFile } from "./queue_file.ts";
import { damagedError, type Engine } from "./sqlite.ts";
import { MAX_BACKOFF_MS } from "./transitions.ts";

/** How many captures there are by status; `delivered` are all that ever were. */
export type QueueStats = Record<CaptureStatus | "delivered", number>;

/** What can be asked of a queue, without changing anything. */
export class QueueReader implements Disposable {
  /** The database file. */
  readonly path: string;
  readonly #file: QueueFile;
  readonly #now: () => number;

  /** @param now The wall clock, in milliseconds since 1970. */
  constructor(file: QueueFile, now: () => number) {
    this.path = file.path;
    this.#file = file;
    this.#now = now;
  }

  /** Which SQLite is in use, and its version. */
  get engine(): { name: Engine; sqlite: string } {
    const { sql, database } = this.#file;
    return {
      name: database.engine,
      sqlite: String(sql.sqliteVersion.get()!.version),
    };
  }

  /** Returns the counts by status, zeroes included; costs the same for any number. */
  getStats(): QueueStats {
    return { ...this.#file.sql.stats.get()! } as QueueStats;
  }

  /**
   * How many bytes the captures with a copy in the spool have, all or those that a
   * watched folder brought; costs the same for any number.
   */
  spooledBytes(which: "all" | "watched" = "all"): number {
    const row = this.#file.sql.spooledBytes.get()!;
    const enqueued = which === "all" ? Number(row.enqueued_bytes) : 0;
    return enqueued + Number(row.watched_bytes);
  }

  /** How many bytes are pending or being sent, as far as it is known; costs the same for any number. */
  waitingBytes(): number {
    return Number(this.#file.sql.waitingBytes.get()!.n);
  }

  /**
   * When the oldest capture that is pending or being sent was handed over, in
   * milliseconds since 1970, or `null`.
   */
  oldestPendingMs(): number | null {
    const times = LIST_GROUPS.filter(([status]) => status !== "failed")
      .map((group) => this.#file.sql.oldest.get(...group)?.created_at)
      .map(whole).filter((time) => time !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** In how many milliseconds the next waiting capture is due: `null` if none waits. */
  nextDueMs(): number | null {
    const row = this.#file.sql.firstDue.get();
    if (!row) return null;
    const waitMs = (whole(row.due_at) ?? 0) - this.#now();
    return Math.min(Math.max(waitMs, 0), MAX_BACKOFF_MS);
  }

  /**
   * Returns captures, oldest first.
   *
   * @throws {RangeError} if `limit` is not a whole number from 0.
   */
  list(
    options: { status?: CaptureStatus; limit?: number } = {},
  ): QueuedCapture[] {
    const { status, limit = 100 } = options;
    assertLimit(limit);
    return [
      ...this.captures({ status, page: Math.min(limit, PAGE) }).take(limit),
    ];
  }

  /**
   * All captures, or those of one status, oldest first: only some hundreds of
   * them are in memory at a time.
   *
   * @param options `sinceMs` leaves out what was handed over before.
   */
  captures(
    options: {
      status?: CaptureStatus | undefined;
      sinceMs?: number;
      page?: number;
    } = {},
  ): Generator<QueuedCapture> {
    const groups = LIST_GROUPS.filter(([status]) =>
      status === (options.status ?? status)
    );
    return capturesByAge(this.#file.sql, groups, options);
  }

  /** What was delivered and is remembered, the latest first. */
  deliveries(sinceMs = -Infinity): Generator<DeliveredEntry> {
    return deliveriesByTime(this.#file.sql, sinceMs);
  }

  /** All captures with a copy in the spool, some hundreds at a time. */
  *spooled(): Generator<QueuedCapture[]> {
    const { spooledAfter } = this.#file.sql;
    let rows = spooledAfter.all("0", PAGE);
    while (rows.length > 0) {
      yield rows.map(toCapture);
      rows = spooledAfter.all(String(rows.at(-1)!.rowid), PAGE);
    }
  }

  /** What has this id, or one that begins so, with four characters at least; 20 of each kind at most. */
  findById(start: string): Found {
    return findById(this.#file.sql, start);
  }

  /** What was handed over as this file; some of it if there is much. Reads all of the queue. */
  findByPath(path: string): Found {
    return findByPath(this.#file.sql, path);
  }

  /** Returns one capture, or `undefined`. */
  get(id: string): QueuedCapture | undefined {
    const row = this.#file.sql.get.get(id);
    return row && toCapture(row);
  }

  /** What is damaged in the database file, or `null` if it is sound. Reads all of it. */
  findDamage(): string | null {
    const { database } = this.#file;
    const found = findDamage(database);
    database.sawDamage ||= found !== null;
    return found === null ? null : damagedError(found).message;
  }

  /**
   * A number that changes when another process has changed the queue.
   *
   * @throws {DatabaseError} if the file was removed or replaced: whoever opens the
   * queue now gets another one, whose captures nobody here would ever see.
   */
  dataVersion(): number {
    this.#file.assertInPlace();
    return Number(this.#file.sql.dataVersion.get()!.data_version);
  }

  /** Closes the database. Closing again does nothing. */
  close(): void {
    this.#file[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The parts in which captures stand in order of age: status and turn. */
const LIST_GROUPS = [
  ["pending", 0],
  ["pending", 1],
  ["pending", 2],
  ["uploading", 0],
  ["uploading", 1],
  ["failed", 0],
  ["failed", 1],
] as [CaptureStatus, number][];

/** How many captures are read at a time where all are. */
const PAGE = 500;

/**
 * Checks how many captures are to be returned.
 *
 * @throws {RangeError} if it is not a whole number from 0.
 */
export function assertLimit(limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 0) return;
  throw new RangeError(
    `Cannot return ${limit} captures: expected a whole number from 0`,
  );
}
