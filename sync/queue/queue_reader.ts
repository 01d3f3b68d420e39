import {
  type CaptureRow,
  type CaptureStatus,
  idOf,
  type QueuedCapture,
  toCapture,
} from "./capture_row.ts";
import type { FileIdentity } from "../host/opened_file.ts";
import { keysOfNames } from "./file_version.ts";
import { findDamage } from "./migrate.ts";
import type { QueueFile } from "./queue_file.ts";
import { type Connection, damagedError } from "./sqlite.ts";
import type { Statements } from "./statements.ts";
import { MAX_BACKOFF_MS } from "./transitions.ts";

/** How many captures there are by status; `delivered` are all that ever were. */
export type QueueStats = Record<CaptureStatus | "delivered", number>;

/** How many rows are read at a time. */
export const PAGE = 500;

/** The status and turn of captures: within each, an index has them by age. */
const GROUPS: readonly [CaptureStatus, number][] = [
  ["pending", 0],
  ["pending", 1],
  ["pending", 2],
  ["uploading", 0],
  ["uploading", 1],
  ["failed", 0],
  ["failed", 1],
];

/** Reads the captures of a queue; changes nothing. */
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

  /** The SQLite in use, and its version. */
  get engine(): Connection["engine"] {
    return this.file.database.engine;
  }

  /** Returns the counts by status, zeroes included; costs the same for any number. */
  getStats(): QueueStats {
    return { ...this.sql.stats.get()! } as QueueStats;
  }

  /** How many captures are pending or being sent; costs the same for any number. */
  waiting(): number {
    const { pending, uploading } = this.getStats();
    return pending + uploading;
  }

  /**
   * How many bytes the captures with a copy in the spool have, all or those that a
   * watched folder brought; costs the same for any number.
   */
  spooledBytes(which: "all" | "watched" = "all"): number {
    const row = this.sql.bytes.get()!;
    const enqueued = which === "all" ? Number(row.enqueued_bytes) : 0;
    return enqueued + Number(row.watched_bytes);
  }

  /** How many bytes are pending or being sent, as far as it is known; costs the same for any number. */
  waitingBytes(): number {
    return Number(this.sql.bytes.get()!.waiting_bytes);
  }

  /**
   * When the oldest capture that is pending or being sent was handed over, in
   * milliseconds since 1970, or `null`.
   */
  oldestPendingMs(): number | null {
    const times = GROUPS.filter(([status]) => status !== "failed")
      .map((group) => this.sql.oldest.get(...group)!.time as number | null)
      .filter((time) => time !== null);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** In how many milliseconds the next waiting capture is due: `null` if none waits. */
  nextDueMs(): number | null {
    const row = this.sql.firstDue.get();
    if (!row) return null;
    const waitMs = Number(row.due_at) - this.now();
    return Math.min(Math.max(waitMs, 0), MAX_BACKOFF_MS);
  }

  /**
   * All captures, or those of one status, oldest first; some hundreds are in memory
   * at a time.
   *
   * @param options `sinceMs` leaves out captures that were handed over before.
   */
  *captures(
    options: { status?: CaptureStatus | undefined; sinceMs?: number } = {},
  ): Generator<QueuedCapture> {
    const { status: wanted, sinceMs = -Infinity } = options;
    const streams = GROUPS.filter(([status]) => status === (wanted ?? status))
      .map((group) => this.#rowsByAge(group, sinceMs))
      .map((rows) => ({
        rows,
        head: rows.next().value as CaptureRow | undefined,
      }));
    while (true) {
      let first: typeof streams[number] | undefined;
      for (const stream of streams) {
        if (!stream.head) continue;
        if (!first || isOlder(stream.head, first.head!)) first = stream;
      }
      if (!first) return;
      yield toCapture(first.head!);
      first.head = first.rows.next().value ?? undefined;
    }
  }

  *#rowsByAge(
    group: [CaptureStatus, number],
    sinceMs: number,
  ): Generator<CaptureRow> {
    let [after, rowid] = [lowest(sinceMs), -Number.MAX_SAFE_INTEGER];
    while (true) {
      const place = [...group, after, rowid];
      const rows = this.sql.listAfter.all<CaptureRow>(...place, PAGE);
      yield* rows;
      if (rows.length < PAGE) return;
      ({ createdAtMs: after, rowid } = rows.at(-1)!);
    }
  }

  /** All captures with a copy in the spool, some hundreds at a time. */
  *spooled(): Generator<QueuedCapture[]> {
    let after = 0;
    for (
      let rows;
      (rows = this.sql.spooledAfter.all<CaptureRow>(after, PAGE)).length > 0;
    ) {
      yield rows.map(toCapture);
      after = rows.at(-1)!.rowid;
    }
  }

  /** Returns one capture, or `undefined`. */
  get(id: string): QueuedCapture | undefined {
    const row = this.sql.get.get<CaptureRow>(id);
    return row && toCapture(row);
  }

  /**
   * The capture that was handed over without a copy and needs the file at this path, or
   * this file, until it is delivered or removed; `undefined` if there is none.
   */
  neededBy(path: string, file: FileIdentity | undefined): string | undefined {
    const { fileId = "", size = 0 } = file ?? {};
    const keys = [fileId, fileId, ...keysOfNames(fileId)];
    const row = this.sql.needsFile.get(path, ...keys, size);
    return row && idOf(row);
  }

  /**
   * The ids of the captures that {@linkcode UploadQueue.cleanupOld} would remove,
   * some hundreds at a time.
   *
   * @throws {RangeError} if `days` is negative or not a number.
   */
  *oldFailed(days: number): Generator<string[]> {
    if (!(days >= 0)) {
      throw new RangeError(
        `Cannot clean up captures older than ${days} days: expected 0 or more`,
      );
    }
    const before = this.now() - days * 86_400_000;
    let after = "0";
    for (
      let rows;
      (rows = this.sql.oldFailed.all(after, before, PAGE)).length > 0;
    ) {
      after = String(rows.at(-1)!.rowid);
      yield rows.map(idOf);
    }
  }

  /** The damage to the database file, or `null` if it is sound. Reads all of it. */
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

/** A time as SQLite compares it. */
export function lowest(sinceMs: number): number {
  return Math.max(Math.ceil(sinceMs), -Number.MAX_SAFE_INTEGER);
}

function isOlder(one: CaptureRow, other: CaptureRow): boolean {
  return (one.createdAtMs - other.createdAtMs || one.rowid - other.rowid) < 0;
}
