import { newCaptureId } from "../capture/capture_id.ts";
import { encodeMetadata, type Metadata } from "../capture/metadata.ts";
import type { EnqueueOptions, NewCapture } from "./capture_row.ts";
import { ClaimOrder, type Order } from "./claim_order.ts";
import { QueueFile, type QueueFileOptions } from "./queue_file.ts";
import { completeOne, type Completion, insertOne } from "./transitions.ts";

export type { AgentState, Pause } from "./agent_row.ts";
export type {
  CaptureStatus,
  EnqueueOptions,
  NewCapture,
  QueuedCapture,
} from "./capture_row.ts";
export type { Order } from "./claim_order.ts";
export type { QueueStats } from "./queue_reader.ts";
export type { DeliveredEntry, Matches, Sample } from "./queue_records.ts";
export type { Attempt, Completion } from "./transitions.ts";
export type { IsAt, SeenFile, WatchedState } from "./known_file.ts";
export type { DeliveredCapture } from "./watched_files.ts";

/** Options for {@linkcode UploadQueue}. */
export interface UploadQueueOptions extends QueueFileOptions {
  /** The wall clock, in milliseconds since 1970. @default {Date.now} */
  now?: () => number;
  /**
   * The order of claims, among the captures of one priority that were snoozed, and
   * among those that were not.
   *
   * @default {"oldest"}
   */
  order?: Order;
}

/**
 * The persistent queue of captures, in one SQLite file that several processes
 * may use at once. Its methods are those of six classes, each of which extends the next:
 *
 * | class          | file               | methods                                             |
 * | -------------- | ------------------ | --------------------------------------------------- |
 * | `UploadQueue`  | `queue.ts`         | `enqueue`, `mark…`, `complete`, `retry`, `remove` … |
 * | `ClaimOrder`   | `claim_order.ts`   | `getPending`, `claim`                               |
 * | `QueueRecords` | `queue_records.ts` | `deliveries`, `find…`, `attempts`, `samples` …      |
 * | `WatchedFiles` | `watched_files.ts` | `known…`, `deliver…`, `…Overwritten`, `…Sidecar`    |
 * | `AgentRow`     | `agent_row.ts`     | `…AgentState`, `pause`, `resume`, `request…`        |
 * | `QueueReader`  | `queue_reader.ts`  | `get`, `getStats`, `captures`, `waiting`, `close` … |
 *
 * What an outcome changes is in `transitions.ts`, the SQL in `statements.ts`.
 *
 * ```text
 *                 claim                  delivered
 *   enqueue ──▶ pending ──▶ uploading ──────────────▶ (ledger)
 *                 ▲  ▲          │ │
 *       due again │  └──────────┘ │ discard, or charged ten times over a day
 *                 │  release,     ▼
 *                 │  snooze,    failed ──▶ retry() ──▶ pending
 *                 │  charge
 *                 └──────────── recover() after a crash
 * ```
 *
 * Each method is one transaction and is durable when it returns
 * (`synchronous=FULL`): a power cut after it changes nothing. Nothing leaves
 * the queue but by a delivery, `remove()` or `cleanupOld()`.
 *
 * A method that writes throws a `DatabaseError` whose `fault` is `"busy"` if another
 * process holds on to the database; then it has done nothing, and may be called again.
 *
 * @example
 * ```ts
 * using queue = new UploadQueue("queue.db");
 * const id = queue.enqueue("/captures/door.png", { door: 3 });
 * queue.markUploading(id);
 * queue.markCompleted(id);
 * ```
 */
export class UploadQueue extends ClaimOrder {
  /**
   * Opens the queue; creates it, or migrates it, if need be.
   *
   * @throws {DatabaseError} if SQLite cannot open it; its `fault` is `"damaged"`
   * if it is not a sound database.
   * @throws {Error} if it is not a file, belongs to another program, or was
   * written by a newer version; then it is left untouched.
   */
  constructor(path: string, options: UploadQueueOptions = {}) {
    const { now = Date.now, order = "oldest" } = options;
    super(new QueueFile(path, options), { now, order });
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
    const metadataJson = encodeMetadata(metadata);
    return this.enqueueMany([{ ...options, filepath: path, metadataJson }])[0]!;
  }

  /**
   * Puts captures into the queue, all or none, and returns their ids in the same
   * order. One whose id is queued or delivered already stays as it is.
   */
  enqueueMany(captures: NewCapture[]): string[] {
    const nowMs = this.now();
    const identified = captures
      .map((capture) => ({ ...capture, id: capture.id ?? newCaptureId() }));
    this.file.append((sql) =>
      identified.forEach((capture) => insertOne(sql, capture, nowMs))
    );
    return identified.map(({ id }) => id);
  }

  /** Marks a pending capture as being sent. Returns whether it was pending. */
  markUploading(id: string): boolean {
    const nowMs = this.now();
    return this.file.write((sql) => sql.markUploading.run(nowMs, id) > 0);
  }

  /** Moves a delivered capture to the ledger. Returns whether it was in the queue. */
  markCompleted(id: string, options: { captureId?: string } = {}): boolean {
    return this.complete([{ id, kind: "delivered", ...options }]) > 0;
  }

  /**
   * Charges a failed attempt: the capture is due again after 60 s, then twice as
   * long each time, at most an hour; with the tenth it is `failed`. Returns
   * whether it was in the queue and not failed yet.
   */
  markFailed(id: string, error: string): boolean {
    return this.complete([{ id, kind: "charge at once", error }]) > 0;
  }

  /**
   * Records the outcomes of attempts, in one transaction. Returns the number of
   * captures completed: another process may have removed some.
   */
  complete(completions: Completion[]): number {
    const nowMs = this.now();
    return this.file.write((sql) =>
      completions.filter((one) => completeOne(sql, one, nowMs)).length
    );
  }

  /**
   * Makes captures that a crashed agent left `uploading` pending again,
   * uncharged, and returns how many. Only for the one agent, as it starts.
   */
  recover(): number {
    return this.file.write((sql) => sql.recover.run());
  }

  /**
   * Removes `failed` captures whose last attempt is more than `days` days ago,
   * and returns their ids. Never done by itself.
   *
   * @throws {RangeError} if `days` is negative or not a number.
   */
  cleanupOld(days = 7): string[] {
    return this.remove([...this.oldFailed(days)].flat());
  }

  /**
   * Makes captures that are not being sent due now with no attempt charged; returns
   * the ids of those it found.
   */
  retry(ids: string[]): string[] {
    return this.file.write(({ retryOne }) =>
      ids.filter((id) => retryOne.run(id) > 0)
    );
  }

  /**
   * Lets a capture that is due be sent before all of a lower priority; 0 is that
   * of all others. Returns whether it is in the queue.
   */
  setPriority(id: string, priority: number): boolean {
    return this.file.write((sql) => sql.setPriority.run(priority, id) > 0);
  }

  /** Makes pending captures due now, and the next ones, in this order; returns the ids of those it found. */
  bump(ids: string[]): string[] {
    return this.file.write((sql) =>
      ids.toReversed().filter((id) => sql.bump.run(id) > 0).reverse()
    );
  }

  /** Makes every waiting capture due now; its charged attempts stay. */
  makeAllDue(): void {
    this.file.write((sql) => sql.makeAllDue.run());
  }

  /**
   * Removes captures, whatever their status, and returns the ids of those it
   * found. A watched file is not taken up again then, unless it changes.
   */
  remove(ids: string[]): string[] {
    const nowMs = this.now();
    return this.file.write((sql) =>
      ids.filter((id) => {
        if (sql.remove.run(id) === 0) return false;
        sql.setWatchedRemoved.run(nowMs, id);
        sql.forgetAttempts.run(id, Number.MAX_SAFE_INTEGER);
        return true;
      })
    );
  }
}
