import {
  type Connection,
  type Engine,
  openDatabase,
  type Row,
  type SqlValue,
  type Statement,
} from "./database.ts";
import { createPrivateDir, createPrivateFile } from "./data_dir.ts";
import { encodeMetadata, type Metadata } from "./metadata.ts";
import { CREATE, MIGRATE_FIRST_DESIGN, SCHEMA_VERSION } from "./schema.ts";
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

/** A charged capture waits this long the first time, twice as long each further time. */
export const RETRY_DELAY_MS = 60_000;
/** The longest that a charged capture waits. */
export const MAX_RETRY_DELAY_MS = 3_600_000;
/** With this many charged attempts a capture is `failed`. */
export const MAX_ATTEMPTS = 10;

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
          captureId,
          this.#now(),
          sent?.size ?? null,
          sent?.mtimeMs ?? null,
          id,
        );
        return this.#sql.delete.run(id);
      }
      case "charged":
        return this.#sql.charge.run(settlement.error, this.#now(), id);
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

/** Every statement of the queue, prepared once: preparing per call leaks in one engine. */
function prepareAll(database: Connection) {
  const prepare = (sql: string): Statement => database.prepare(sql);
  const waiting = "status = 'pending' AND due_at IS NOT NULL";
  const again =
    "UPDATE captures SET status = 'pending', due_at = NULL, attempts = 0, last_error = NULL";
  return {
    sqliteVersion: prepare("SELECT sqlite_version() AS version"),
    insert: prepare(
      // The agent may have found the spool's record first, and even delivered it.
      `INSERT INTO captures (id, filepath, metadata_json, created_at, size, mtime_ms, spooled, watched)
       SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 WHERE NOT EXISTS (SELECT 1 FROM delivered WHERE id = ?1)
       ON CONFLICT (id) DO NOTHING`,
    ),
    ready: prepare(
      `SELECT * FROM captures WHERE status = 'pending' AND (due_at IS NOT NULL) = 0
       ORDER BY created_at, rowid LIMIT ?`,
    ),
    anyDue: prepare(
      `SELECT 1 FROM captures WHERE ${waiting} AND (due_at <= ? OR due_at > ?) LIMIT 1`,
    ),
    promote: prepare(
      `UPDATE captures SET due_at = NULL WHERE ${waiting} AND (due_at <= ? OR due_at > ?)`,
    ),
    firstDue: prepare(
      `SELECT due_at FROM captures WHERE ${waiting} ORDER BY due_at LIMIT 1`,
    ),
    markUploading: prepare(
      `UPDATE captures SET status = 'uploading', due_at = NULL, last_attempt = ?
       WHERE id = ? AND status = 'pending'`,
    ),
    deliver: prepare(
      `INSERT OR IGNORE INTO delivered (id, filepath, size, mtime_ms, server_id, delivered_at, watched)
       SELECT id, filepath, coalesce(?3, size), coalesce(?4, mtime_ms), ?1, ?2, watched
       FROM captures WHERE id = ?5`,
    ),
    delete: prepare("DELETE FROM captures WHERE id = ?"),
    charge: prepare(
      `UPDATE captures SET attempts = attempts + 1, last_error = ?1, last_attempt = coalesce(last_attempt, ?2),
         status = iif(attempts + 1 >= ${MAX_ATTEMPTS}, 'failed', 'pending'),
         due_at = iif(attempts + 1 >= ${MAX_ATTEMPTS}, NULL,
           ?2 + min(${RETRY_DELAY_MS} << min(attempts, 20), ${MAX_RETRY_DELAY_MS}))
       WHERE id = ?3 AND status <> 'failed'`,
    ),
    reject: prepare(
      `UPDATE captures SET attempts = attempts + 1, last_error = ?, status = 'failed', due_at = NULL
       WHERE id = ? AND status <> 'failed'`,
    ),
    release: prepare(
      `UPDATE captures SET status = 'pending', last_error = coalesce(?1, last_error), due_at = ?2
       WHERE id = ?3 AND status = 'uploading'`,
    ),
    recover: prepare(
      "UPDATE captures SET status = 'pending', due_at = NULL WHERE status = 'uploading'",
    ),
    counts: prepare(
      "SELECT status, n FROM counts WHERE status <> 'spooled bytes'",
    ),
    oldest: prepare(
      `SELECT created_at FROM captures WHERE status = ? AND (due_at IS NOT NULL) = ?
       ORDER BY created_at LIMIT 1`,
    ),
    oldFailed: prepare(
      "SELECT id FROM captures WHERE status = 'failed' AND coalesce(last_attempt, created_at) < ?",
    ),
    list: prepare(
      `SELECT * FROM captures WHERE status = ? AND (due_at IS NOT NULL) = ?
       ORDER BY created_at, rowid LIMIT ?`,
    ),
    get: prepare("SELECT * FROM captures WHERE id = ?"),
    retryOne: prepare(
      `${again} WHERE id = ? AND status <> 'uploading' RETURNING id`,
    ),
    retryFailed: prepare(`${again} WHERE status = 'failed' RETURNING id`),
    retryAll: prepare(`${again} WHERE status <> 'uploading' RETURNING id`),
    makeAllDue: prepare(`UPDATE captures SET due_at = NULL WHERE ${waiting}`),
    watchedQueued: prepare(
      "SELECT 1 FROM captures WHERE watched = 1 AND filepath = ? AND size IS ? AND mtime_ms IS ?",
    ),
    watchedDelivered: prepare(
      "SELECT 1 FROM delivered WHERE watched = 1 AND filepath = ? AND size IS ? AND mtime_ms IS ?",
    ),
    wasDelivered: prepare("SELECT 1 FROM delivered WHERE id = ?"),
    spooledBytes: prepare(
      "SELECT n FROM counts WHERE status = 'spooled bytes'",
    ),
    quickCheck: prepare("PRAGMA quick_check(1)"),
    dataVersion: prepare("PRAGMA data_version"),
    agent: prepare("SELECT * FROM agent"),
    setAgent: prepare(
      `UPDATE agent SET pid = ?, server_url = ?, server_state = ?, server_reason = ?, server_since = ?`,
    ),
    requestSync: prepare(
      "UPDATE agent SET sync_requested = sync_requested + 1",
    ),
    completeSync: prepare("UPDATE agent SET sync_completed = ?"),
  };
}

function prepareSchema(database: Connection): void {
  // Before anything is written: a newer file must stay as it is.
  const version = userVersion(database);
  if (version > SCHEMA_VERSION) {
    throw new Error(
      `it has version ${version} and this program knows up to ${SCHEMA_VERSION}: ` +
        "use the newer program that wrote it",
    );
  }
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  if (version === SCHEMA_VERSION) return;
  database.transaction(() => {
    // Another process may have been faster.
    if (userVersion(database) === SCHEMA_VERSION) return;
    const tables = database.prepare(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    ).all().map((row) => row.name);
    const firstDesign = tables.includes("queue");
    if (tables.length > 0 && !firstDesign) {
      throw new Error(`it belongs to another program (table "${tables[0]}")`);
    }
    database.exec(CREATE + (firstDesign ? MIGRATE_FIRST_DESIGN : ""));
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

function userVersion(database: Connection): number {
  return Number(database.prepare("PRAGMA user_version").get()!.user_version);
}

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
