import { type AgentState, readAgentState } from "./agent_state.ts";
import {
  type CaptureStatus,
  type QueuedCapture,
  toCapture,
} from "./capture_row.ts";
import type { Engine, SqlValue } from "./sqlite.ts";
import { damage } from "./database_error.ts";
import type { QueueFile } from "./queue_file.ts";
import {
  filledUp,
  MAX_RETRY_DELAY_MS,
  type Statements,
  together,
} from "./statements.ts";

/** How many captures there are by status. */
export type QueueStats = Record<CaptureStatus | "delivered", number>;

/** Where a file of a watched folder stands that was taken over. */
export type WatchedState = "queued" | "delivered" | "removed";

/** What can be asked of a queue, without changing anything. */
export class QueueReader implements Disposable {
  /** The database file. */
  readonly path: string;
  readonly #file: QueueFile;
  readonly #sql: Statements;
  readonly #now: () => number;

  /** @param now The wall clock, in milliseconds since 1970. */
  constructor(file: QueueFile, now: () => number) {
    this.path = file.path;
    this.#file = file;
    this.#sql = file.sql;
    this.#now = now;
  }

  /** Which SQLite is in use, and its version. */
  get engine(): { name: Engine; sqlite: string } {
    const row = this.#sql.sqliteVersion.get()!;
    return { name: this.#file.engine, sqlite: String(row.version) };
  }

  /** Whether several threads may use this SQLite, each with connections of its own. */
  get isThreadSafe(): boolean {
    try {
      return Number(this.#sql.singleThread.get()!.yes) === 0;
    } catch {
      // It was built not to tell how it was built.
      return false;
    }
  }

  /** Returns the counts by status, zeroes included; costs the same for any number. */
  getStats(): QueueStats {
    const stats = { pending: 0, uploading: 0, failed: 0, delivered: 0 };
    for (const { status, n } of this.#sql.counts.all()) {
      stats[status as keyof QueueStats] = Number(n);
    }
    return stats;
  }

  /** When the oldest pending capture was handed over, in milliseconds since 1970, or `null`. */
  oldestPendingMs(): number | null {
    const times = [0, 1].map((waiting) =>
      this.#sql.oldest.get("pending", waiting)?.created_at as number | undefined
    ).filter((time) => time !== undefined);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** In how many milliseconds the next waiting capture is due: `null` if none waits. */
  nextDueMs(): number | null {
    const due = this.#sql.firstDue.get()?.due_at;
    if (due === undefined) return null;
    return Math.min(Math.max(Number(due) - this.#now(), 0), MAX_RETRY_DELAY_MS);
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
    return LIST_GROUPS
      .filter(([group]) => status === undefined || group === status)
      .flatMap((group) => this.#sql.list.all(...group, limit))
      .sort((a, b) =>
        Number(a.created_at) - Number(b.created_at) ||
        Number(a.rowid) - Number(b.rowid)
      )
      .slice(0, limit)
      .map(toCapture);
  }

  /** All captures with a copy in the spool, some hundreds at a time. */
  *spooled(): Generator<QueuedCapture[]> {
    let rows = this.#sql.spooledAfter.all(0, PAGE);
    while (rows.length > 0) {
      yield rows.map(toCapture);
      rows = this.#sql.spooledAfter.all(rows.at(-1)!.rowid!, PAGE);
    }
  }

  /** Returns one capture, or `undefined`. */
  get(id: string): QueuedCapture | undefined {
    const row = this.#sql.get.get(id);
    return row && toCapture(row);
  }

  /** Whether a capture with this id was delivered. */
  wasDelivered(id: string): boolean {
    return this.#sql.wasDelivered.get(id) !== undefined;
  }

  /** How many bytes the captures with a copy in the spool have; costs the same for any number. */
  spooledBytes(): number {
    return Number(this.#sql.spooledBytes.get()!.n);
  }

  /** Where this very file of a watched folder stands; `undefined` if it is new. */
  knowsWatched(
    path: string,
    size: number,
    mtimeMs: number,
  ): WatchedState | undefined {
    return this.knownWatched([{ path, size, mtimeMs }])[0];
  }

  /** Where each of these very files of watched folders stands, as if asked one by one. */
  knownWatched(
    files: { path: string; size: number; mtimeMs: number }[],
  ): (WatchedState | undefined)[] {
    const states = files.map((): WatchedState | undefined => undefined);
    let first = 0;
    for (const some of together(files)) {
      const values: SqlValue[] = [];
      for (const [n, { path, size, mtimeMs }] of some.entries()) {
        values.push(first + n, path, size, mtimeMs);
      }
      const known = this.#sql.knownWatched.all(...filledUp(values, 4));
      for (const row of known) {
        states[Number(row.n)] = row.known as WatchedState;
      }
      first += some.length;
    }
    return states;
  }

  /** What is damaged in the database file, or `null` if it is sound. Reads all of it. */
  findDamage(): string | null {
    const result = String(this.#sql.quickCheck.get()!.quick_check);
    return result === "ok" ? null : damage(result);
  }

  /** A number that changes when another process has changed the queue. */
  dataVersion(): number {
    return Number(this.#sql.dataVersion.get()!.data_version);
  }

  /** Returns what the agent last said. */
  getAgentState(): AgentState {
    return readAgentState(this.#sql);
  }

  /** Closes the database. Closing again does nothing. */
  close(): void {
    this.#file.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The parts in which captures stand in order of age: status, and whether they wait. */
const LIST_GROUPS = [
  ["pending", 0],
  ["pending", 1],
  ["uploading", 0],
  ["failed", 0],
] satisfies [CaptureStatus, number][];

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
