import {
  type Connection,
  type Engine,
  openDatabase,
  type Row,
  type SqlValue,
} from "./database.ts";
import { createPrivateDir, createPrivateFile } from "./data_dir.ts";
import { encodeMetadata, type Metadata } from "./metadata.ts";
import { prepareSchema } from "./schema.ts";
import { MAX_RETRY_DELAY_MS, prepareAll } from "./statements.ts";
import { dirname, resolve } from "@std/path";

/** Where a queued capture stands. A delivered one has left the queue. */
export type CaptureStatus = "pending" | "uploading" | "failed";

/** A capture in the queue. Times are ISO 8601 in UTC. */
export interface QueuedCapture {
  /** A UUID; the idempotency key of every attempt. */
  id: string;
  /** Where the capture was handed over; its base name is what the server is told. */
  filepath: string;
  /** A JSON object as text. */
  metadataJson: string;
  createdAt: string;
  /** How many attempts were charged to it. */
  attempts: number;
  /** When the last attempt began, charged or not; `null` before the first. */
  lastAttempt: string | null;
  status: CaptureStatus;
  /** When it is due again; `null` if it is ready, or failed. */
  nextAttemptAt: string | null;
  lastError: string | null;
  /** In bytes, when it was handed over. */
  size: number | null;
  /** The file's modification time when it was handed over, in milliseconds since 1970. */
  mtimeMs: number | null;
  /** Whether the agent has a copy of its own in the spool. */
  spooled: boolean;
  /** Whether a watched folder brought it. */
  watched: boolean;
}

/** Options for {@linkcode UploadQueue}. */
export interface UploadQueueOptions {
  /** Which SQLite to use; see `openDatabase`. */
  engine?: Engine;
  /**
   * The wall clock, in milliseconds since 1970.
   *
   * @default {Date.now}
   */
  now?: () => number;
}

/** Options for {@linkcode UploadQueue.enqueue}. */
export interface EnqueueOptions {
  /** @default {crypto.randomUUID()} */
  id?: string;
  /** In bytes. */
  size?: number;
  /** In milliseconds since 1970. */
  mtimeMs?: number;
  /** In milliseconds since 1970. @default {now} */
  createdAtMs?: number;
  /** @default {false} */
  spooled?: boolean;
  /** @default {false} */
  watched?: boolean;
}

/** One capture for {@linkcode UploadQueue.enqueueMany}. */
export interface NewCapture extends EnqueueOptions {
  filepath: string;
  metadata: Metadata;
}

/** What became of one claimed capture; see {@linkcode UploadQueue.settle}. */
export type Settlement =
  | {
    id: string;
    kind: "delivered";
    captureId?: string | null;
    /** What was sent, if it is not what was handed over. */
    sent?: { size: number; mtimeMs: number };
  }
  | { id: string; kind: "charged" | "rejected"; error: string }
  | { id: string; kind: "released"; error?: string }
  | { id: string; kind: "deferred"; error: string; delayMs: number };

/** How many captures there are by status. */
export type QueueStats = Record<CaptureStatus | "delivered", number>;

/** What the running agent says of itself and of the server. */
export interface AgentState {
  pid: number | null;
  serverUrl: string | null;
  serverState: "ready" | "down" | "paused" | "unknown";
  serverReason: string | null;
  /** Since when, in milliseconds since 1970. */
  serverSince: number | null;
  /** How often a `sync` was asked for, and up to which of them it was done. */
  syncRequested: number;
  syncCompleted: number;
}

/**
 * The persistent queue of captures, in one SQLite file that several processes
 * may use at once.
 *
 * ```text
 *                 claim                  delivered
 *   enqueue ──▶ pending ──▶ uploading ──────────────▶ (ledger)
 *                 ▲  ▲          │ │
 *       due again │  └──────────┘ │ rejected, or charged for the tenth time
 *                 │ released,     ▼
 *                 │ charged     failed ──▶ retry() ──▶ pending
 *                 └──────────── recover() after a crash
 * ```
 *
 * Each method is one transaction and is durable when it returns
 * (`synchronous=FULL`): a power cut after it changes nothing. Nothing leaves
 * the queue but by a delivery, `remove()` or `cleanupOld()`.
 *
 * @example
 * ```ts
 * using queue = new UploadQueue("queue.db");
 * const id = queue.enqueue("/captures/door.png", { door: 3 });
 * queue.markUploading(id);
 * queue.markCompleted(id);
 * ```
 */
export class UploadQueue implements Disposable {
  /** The database file. */
  readonly path: string;
  readonly #database: Connection;
  readonly #sql: ReturnType<typeof prepareAll>;
  readonly #now: () => number;

  /**
   * Opens the queue; creates it, or migrates it, if need be.
   *
   * @throws {Error} if the file cannot be opened, is not a database, belongs to
   * another program, or was written by a newer version (which is left untouched).
   */
  constructor(path: string, options: UploadQueueOptions = {}) {
    this.path = path;
    this.#now = options.now ?? Date.now;
    try {
      createPrivateDir(dirname(resolve(path)));
      createPrivateFile(path);
      this.#database = openDatabase(path, options);
    } catch (cause) {
      throw openError(path, cause);
    }
    try {
      prepareSchema(this.#database);
      this.#sql = prepareAll(this.#database);
    } catch (cause) {
      this.#database.close();
      throw openError(path, cause);
    }
  }

  /** Which SQLite is in use, and its version. */
  get engine(): { name: Engine; sqlite: string } {
    const row = this.#sql.sqliteVersion.get()!;
    return { name: this.#database.engine, sqlite: String(row.version) };
  }

  /**
   * Puts a capture into the queue and returns its id. It is durable then. The
   * file itself is not looked at.
   *
   * @throws {TypeError} if the metadata is not a JSON object.
   * @throws {RangeError} if the metadata is too large.
   */
  enqueue(
    path: string,
    metadata: Metadata = {},
    options: EnqueueOptions = {},
  ): string {
    return this.enqueueMany([{ ...options, filepath: path, metadata }])[0]!;
  }

  /** Puts captures into the queue, all or none, and returns their ids in the same order. */
  enqueueMany(captures: NewCapture[]): string[] {
    const rows = captures.map((capture) => ({
      ...capture,
      id: capture.id ?? crypto.randomUUID(),
      metadataJson: encodeMetadata(capture.metadata),
    }));
    this.#database.transaction(() => {
      for (const row of rows) {
        this.#sql.insert.run(
          row.id,
          row.filepath,
          row.metadataJson,
          row.createdAtMs ?? this.#now(),
          row.size ?? null,
          row.mtimeMs ?? null,
          Number(row.spooled ?? false),
          Number(row.watched ?? false),
          row.id,
        );
      }
    });
    return rows.map((row) => row.id);
  }

  /** Returns the captures that are due, oldest first. */
  getPending(limit = 10): QueuedCapture[] {
    this.#promoteDue();
    return this.#sql.ready.all(limit).map(toCapture);
  }

  /** Returns the captures that are due, oldest first, marked `uploading`. */
  claim(limit: number): QueuedCapture[] {
    const captures = this.getPending(limit);
    if (captures.length === 0) return [];
    return this.#database.transaction(() =>
      // Another process may have claimed or removed one in between.
      captures.filter(({ id }) =>
        this.#sql.markUploading.run(this.#now(), id) > 0
      )
    );
  }

  /** Marks a pending capture as being sent. Returns whether it was pending. */
  markUploading(id: string): boolean {
    return this.#database.transaction(() =>
      this.#sql.markUploading.run(this.#now(), id) > 0
    );
  }

  /** Moves a delivered capture to the ledger. Returns whether it was in the queue. */
  markCompleted(
    id: string,
    options: { captureId?: string | null } = {},
  ): boolean {
    return this.settle([{ id, kind: "delivered", ...options }]) > 0;
  }

  /**
   * Charges a failed attempt: the capture is due again after 60 s, then twice as
   * long each time, at most an hour; with the tenth it is `failed`. Returns
   * whether it was in the queue and not failed yet.
   */
  markFailed(id: string, error: string): boolean {
    return this.settle([{ id, kind: "charged", error }]) > 0;
  }

  /**
   * Records what became of claimed captures, in one transaction. `released`
   * puts one back as it was, uncharged and due at once, `deferred` after
   * `delayMs` (at most an hour); `rejected` makes it `failed`. Returns how many were still in the queue: another process
   * may have removed some.
   */
  settle(settlements: Settlement[]): number {
    return this.#database.transaction(() => {
      let found = 0;
      for (const settlement of settlements) found += this.#settle(settlement);
      return found;
    });
  }

  #settle(settlement: Settlement): number {
    const { id } = settlement;
    switch (settlement.kind) {
      case "delivered": {
        const { captureId = null, sent } = settlement;
        this.#sql.deliver.run(
          sent?.size ?? null,
          sent?.mtimeMs ?? null,
          captureId,
          this.#now(),
          id,
        );
        return this.#sql.delete.run(id);
      }
      case "charged": {
        const now = this.#now();
        return this.#sql.charge.run(settlement.error, now, now, id);
      }
      case "rejected":
        return this.#sql.reject.run(settlement.error, id);
      case "released":
        return this.#sql.release.run(settlement.error ?? null, null, id);
      case "deferred": {
        const { error, delayMs } = settlement;
        const dueAt = this.#now() + Math.min(delayMs, MAX_RETRY_DELAY_MS);
        return this.#sql.release.run(error, Math.round(dueAt), id);
      }
    }
  }

  /**
   * Makes captures that a crashed agent left `uploading` pending again,
   * uncharged, and returns how many. Only for the one agent, as it starts.
   */
  recover(): number {
    return this.#database.transaction(() => this.#sql.recover.run());
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
   * Removes `failed` captures whose last attempt is more than `days` days ago,
   * and returns their ids. Never done by itself.
   *
   * @throws {RangeError} if `days` is negative or not a number.
   */
  cleanupOld(days = 7): string[] {
    return this.remove(this.oldFailed(days));
  }

  /** The ids of what {@linkcode UploadQueue.cleanupOld} would remove. */
  oldFailed(days: number): string[] {
    if (!(days >= 0)) {
      throw new RangeError(
        `Cannot clean up captures older than ${days} days: expected 0 or more`,
      );
    }
    const before = this.#now() - days * 86_400_000;
    return this.#sql.oldFailed.all(before).map(idOf);
  }

  /** Returns captures, oldest first. */
  list(
    options: { status?: CaptureStatus; limit?: number } = {},
  ): QueuedCapture[] {
    const { status, limit = 100 } = options;
    return LIST_GROUPS
      .filter(([group]) => status === undefined || group === status)
      .flatMap((group) => this.#sql.list.all(...group, limit).map(toCapture))
      .sort((a, b) =>
        a.createdAt < b.createdAt ? -1 : Number(a.createdAt > b.createdAt)
      )
      .slice(0, limit);
  }

  /** Returns one capture, or `undefined`. */
  get(id: string): QueuedCapture | undefined {
    const row = this.#sql.get.get(id);
    return row && toCapture(row);
  }

  /**
   * Makes captures due now with no attempt charged: the named ones, all that
   * are `failed`, or all of both kinds. Returns the ids of those it found.
   */
  retry(which: string[] | "failed" | "all"): string[] {
    return this.#database.transaction(() => {
      if (which === "all") return this.#sql.retryAll.all().map(idOf);
      if (which === "failed") return this.#sql.retryFailed.all().map(idOf);
      return which.flatMap((id) => this.#sql.retryOne.all(id).map(idOf));
    });
  }

  /** Makes every waiting capture due now; what was charged stays. */
  makeAllDue(): void {
    this.#database.transaction(() => this.#sql.makeAllDue.run());
  }

  /** Removes captures, whatever their status, and returns the ids of those it found. */
  remove(ids: string[]): string[] {
    return this.#database.transaction(() =>
      ids.filter((id) => this.#sql.delete.run(id) > 0)
    );
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
  ): "queued" | "delivered" | undefined {
    const file = [path, size, mtimeMs];
    if (this.#sql.watchedQueued.get(...file)) return "queued";
    return this.#sql.watchedDelivered.get(...file) ? "delivered" : undefined;
  }

  /** What is damaged in the database file, or `null` if it is sound. Reads all of it. */
  findDamage(): string | null {
    const result = String(this.#sql.quickCheck.get()!.quick_check);
    return result === "ok" ? null : `the queue is damaged: ${result}`;
  }

  /** A number that changes when another process has changed the queue. */
  dataVersion(): number {
    return Number(this.#sql.dataVersion.get()!.data_version);
  }

  /** Returns what the agent last said. */
  getAgentState(): AgentState {
    const row = this.#sql.agent.get()!;
    return {
      pid: row.pid as number | null,
      serverUrl: row.server_url as string | null,
      serverState: row.server_state as AgentState["serverState"],
      serverReason: row.server_reason as string | null,
      serverSince: row.server_since as number | null,
      syncRequested: Number(row.sync_requested),
      syncCompleted: Number(row.sync_completed),
    };
  }

  /** Records what the agent says; only for the one agent. */
  setAgentState(
    state: Omit<AgentState, "syncRequested" | "syncCompleted">,
  ): void {
    this.#database.transaction(() =>
      this.#sql.setAgent.run(
        state.pid,
        state.serverUrl,
        state.serverState,
        state.serverReason,
        state.serverSince,
      )
    );
  }

  /** Asks the running agent to try everything at once; returns the number to wait for. */
  requestSync(): number {
    return this.#database.transaction(() => {
      this.#sql.requestSync.run();
      return this.getAgentState().syncRequested;
    });
  }

  /** Says that everything was tried that was asked for up to this number. */
  completeSync(requested: number): void {
    this.#database.transaction(() => this.#sql.completeSync.run(requested));
  }

  /** Closes the database. Closing again does nothing. */
  close(): void {
    this.#database.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Makes waiting captures ready whose time has come. A time further away than
   * the longest wait was written under another clock: it counts as come.
   */
  #promoteDue(): void {
    const now = this.#now();
    const latest = now + MAX_RETRY_DELAY_MS;
    if (this.#sql.anyDue.get(now, latest) === undefined) return;
    this.#database.transaction(() => this.#sql.promote.run(now, latest));
  }
}

const LIST_GROUPS = [
  ["pending", 0],
  ["pending", 1],
  ["uploading", 0],
  ["failed", 0],
] satisfies [CaptureStatus, number][];

function openError(path: string, cause: unknown): Error {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Error(`Cannot open the queue "${path}": ${reason}`, { cause });
}

function idOf(row: Row): string {
  return String(row.id);
}

function toCapture(row: Row): QueuedCapture {
  return {
    id: row.id as string,
    filepath: row.filepath as string,
    metadataJson: row.metadata_json as string,
    createdAt: isoTime(row.created_at)!,
    attempts: row.attempts as number,
    lastAttempt: isoTime(row.last_attempt),
    status: row.status as CaptureStatus,
    nextAttemptAt: isoTime(row.due_at),
    lastError: row.last_error as string | null,
    size: row.size as number | null,
    mtimeMs: row.mtime_ms as number | null,
    spooled: row.spooled === 1,
    watched: row.watched === 1,
  };
}

function isoTime(ms: SqlValue | undefined): string | null {
  if (typeof ms !== "number") return null;
  // Beyond what a Date can hold: written by something else; still shown.
  return Math.abs(ms) <= 8.64e15
    ? new Date(ms).toISOString()
    : new Date(0).toISOString();
}
