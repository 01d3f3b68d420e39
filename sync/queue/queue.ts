import { type AgentSaying, writeAgentState } from "./agent_state.ts";
import {
  type EnqueueOptions,
  type NewCapture,
  type QueuedCapture,
  toCapture,
} from "./capture_row.ts";
import type { Row } from "./sqlite.ts";
import { newCaptureId } from "../capture/capture_id.ts";
import { insertAll, insertionOf, rowOf } from "./insertion.ts";
import type { Metadata } from "../capture/metadata.ts";
import { QueueFile, type QueueFileOptions } from "./queue_file.ts";
import { assertLimit, QueueReader } from "./queue_reader.ts";
import { settleAll, type Settlement, takeOut } from "./transitions.ts";
import { MAX_RETRY_DELAY_MS, type Statements } from "./statements.ts";
import { Tally } from "./tally.ts";

export type { AgentSaying, AgentState } from "./agent_state.ts";
export type {
  CaptureStatus,
  EnqueueOptions,
  NewCapture,
  QueuedCapture,
} from "./capture_row.ts";
export type { QueueStats } from "./queue_reader.ts";
export type { Settlement } from "./transitions.ts";

/** Options for {@linkcode UploadQueue}. */
export interface UploadQueueOptions extends QueueFileOptions {
  /**
   * The wall clock, in milliseconds since 1970.
   *
   * @default {Date.now}
   */
  now?: () => number;
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
export class UploadQueue extends QueueReader {
  readonly #file: QueueFile;
  readonly #sql: Statements;
  readonly #now: () => number;

  /**
   * Opens the queue; creates it, or migrates it, if need be.
   *
   * @throws {DatabaseError} if SQLite cannot open it; its `fault` is `"damaged"`
   * if it is not a sound database.
   * @throws {Error} if it is not a file, belongs to another program, or was
   * written by a newer version; then it is left untouched.
   */
  constructor(path: string, options: UploadQueueOptions = {}) {
    const { now = Date.now } = options;
    const file = new QueueFile(path, options);
    super(file, now);
    this.#file = file;
    this.#sql = file.sql;
    this.#now = now;
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
    const { id, ...rest } = options;
    const capture = { ...rest, filepath: path, metadata };
    if (id !== undefined) return this.enqueueMany([{ ...capture, id }])[0]!;
    const newId = newCaptureId();
    const row = rowOf(newId, capture, this.#now());
    this.#file.appendAlone(this.#sql.arrive, row);
    return newId;
  }

  /**
   * Puts captures into the queue, all or none, and returns their ids in the same
   * order. One whose id is queued or delivered already stays as it is.
   */
  enqueueMany(captures: NewCapture[]): string[] {
    const insertion = insertionOf(captures, this.#now());
    this.#file.append(() =>
      this.#counting((tally) => insertAll(this.#sql, insertion, tally))
    );
    return insertion.ids;
  }

  /**
   * Returns the captures that are due, oldest first; costs the same for any number.
   *
   * @param limit How many at most: a whole number from 0.
   * @throws {RangeError} if it is something else.
   */
  getPending(limit = 10): QueuedCapture[] {
    assertLimit(limit);
    this.#promoteDue();
    return this.#sql.ready.all(limit).map(toCapture);
  }

  /** Returns the captures that are due, oldest first, and marks them `uploading`. */
  claim(limit: number): QueuedCapture[] {
    assertLimit(limit);
    this.#promoteDue();
    const sql = this.#sql;
    if (!sql.ready.get(Math.min(limit, 1))) return [];
    return this.#write((tally) => {
      // Once more: another process may have claimed or removed some in between.
      const rows = sql.ready.all(limit);
      countClaimed(tally, sql.claim.run(this.#now(), limit));
      return rows.map(toCapture);
    });
  }

  /** Marks a pending capture as being sent. Returns whether it was pending. */
  markUploading(id: string): boolean {
    return this.#write((tally) => {
      const marked = this.#sql.markUploading.run(this.#now(), id);
      countClaimed(tally, marked);
      return marked > 0;
    });
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
   * `delayMs` (at most an hour); `rejected` makes it `failed`. Returns how many
   * were still in the queue: another process may have removed some.
   */
  settle(settlements: Settlement[]): number {
    const nowMs = this.#now();
    return this.#write((tally) =>
      settleAll(this.#sql, settlements, { nowMs, tally })
    );
  }

  /**
   * Makes captures that a crashed agent left `uploading` pending again,
   * uncharged, and returns how many. Only for the one agent, as it starts.
   */
  recover(): number {
    const sql = this.#sql;
    return this.#file.write(() => {
      const recovered = sql.recover.run();
      if (sql.becomeCertain.run() > 0) sql.recount.run();
      return recovered;
    });
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

  /**
   * Makes captures due now with no attempt charged: the named ones, all that
   * are `failed`, or all of both kinds. Returns the ids of those it found.
   */
  retry(which: string[] | "failed" | "all"): string[] {
    const sql = this.#sql;
    return this.#file.write(() => {
      if (typeof which !== "string") {
        return which.filter((id) => sql.retryOne.run(id) > 0);
      }
      const isAll = which === "all";
      const ids = (isAll ? sql.retryableIds : sql.failedIds).all().map(idOf);
      (isAll ? sql.retryAll : sql.retryFailed).run();
      return ids;
    });
  }

  /** Makes every waiting capture due now; what was charged stays. */
  makeAllDue(): void {
    this.#file.write(() => this.#sql.makeAllDue.run());
  }

  /**
   * Removes captures, whatever their status, and returns the ids of those it
   * found. A watched file is not taken up again then, unless it changes.
   */
  remove(ids: string[]): string[] {
    return this.#write((tally) =>
      ids.filter((id) => {
        this.#sql.dismiss.run(id);
        return takeOut(this.#sql, [id], tally) > 0;
      })
    );
  }

  /** Gives back the memory in which SQLite keeps what it has read: up to 4 MB. */
  freeMemory(): void {
    this.#sql.shrinkMemory.get();
  }

  /** Records what the agent says; only for the one agent. */
  setAgentState(saying: AgentSaying): void {
    this.#file.write(() => writeAgentState(this.#sql, saying));
  }

  /** Asks the running agent to try everything at once; returns the number to wait for. */
  requestSync(): number {
    return this.#file.write(() => {
      this.#sql.requestSync.run();
      return this.getAgentState().syncRequested;
    });
  }

  /** Says that everything was tried that was asked for up to this number. */
  completeSync(requested: number): void {
    this.#file.write(() => this.#sql.completeSync.run(requested));
  }

  #write<T>(body: (tally: Tally) => T): T {
    return this.#file.write(() => this.#counting(body));
  }

  /** Runs a transaction's body, and records what it counts. */
  #counting<T>(body: (tally: Tally) => T): T {
    const tally = new Tally();
    const result = body(tally);
    tally.record(this.#sql);
    return result;
  }

  /**
   * Makes waiting captures ready whose time has come. A time further away than
   * the longest wait was written under another clock: it counts as come.
   */
  #promoteDue(): void {
    const sql = this.#sql;
    const now = this.#now();
    const latest = now + MAX_RETRY_DELAY_MS;
    if (!sql.anyDueUntil.get(now) && !sql.anyDueAfter.get(latest)) return;
    this.#file.write(() => {
      sql.promoteUntil.run(now);
      sql.promoteAfter.run(latest);
    });
  }
}

function countClaimed(tally: Tally, n: number): void {
  tally.add("pending", -n);
  tally.add("uploading", n);
}

function idOf(row: Row): string {
  return String(row.id);
}
