import { basename } from "@std/path";
import {
  type BookkeeperAside,
  Bookkeeping,
  type BookkeepingQueue,
  type BookkeepingSpool,
} from "./bookkeeping.ts";
import type { Breaker } from "./breaker.ts";
import { Claims } from "./prefetch.ts";
import { Concurrency } from "./concurrency.ts";
import { reached } from "../host/fault_point.ts";
import { Judge, type PassReport } from "./outcome_handler.ts";
import type { Log } from "../host/log.ts";
import { type Metadata, parseMetadata } from "../capture/metadata.ts";
import type { QueuedCapture } from "../queue/queue.ts";
import type { ClaimedCapture } from "./read_ahead.ts";
import { Settler } from "./batch_completer.ts";
import type { UploadOptions, UploadResult } from "../upload/uploader.ts";
import type { Wakeup } from "../host/wakeup.ts";

/** What delivering needs of a queue; `UploadQueue` is one. */
export interface DeliveryQueue extends BookkeepingQueue {
  getStats(): { pending: number };
}

/** What delivering needs of a spool; `Spool` is one. */
export interface DeliverySpool extends BookkeepingSpool {
  pathOf(id: string): string;
}

/** What delivering needs of an uploader; `CaptureUploader` is one. */
export interface DeliveryUploader {
  upload(
    path: string,
    metadata: Metadata,
    options: UploadOptions,
  ): Promise<UploadResult>;
  checkServer(options: { signal?: AbortSignal }): Promise<boolean>;
}

/** How captures are delivered. */
export interface DeliveryOptions {
  /**
   * How many captures are sent at a time, at most; how many are is found out
   * (see `Concurrency`).
   *
   * @default {32}
   */
  concurrency?: number;
  /**
   * Whether a file that was changed after it was handed over is refused instead
   * of sent as it is now.
   *
   * @default {false}
   */
  refuseChanged?: boolean;
  /** Where captures lie that are `spooled`; those that are delivered leave it. */
  spool?: DeliverySpool;
  /**
   * Starts the bookkeeping on a thread of its own, while there is a backlog.
   *
   * @default {all of it is done on this one}
   */
  startThread?: () => Promise<BookkeeperAside>;
  /** Tidies up behind a delivery that is committed. */
  onDelivered?: (
    capture: QueuedCapture,
    result: UploadResult,
  ) => void | Promise<void>;
  /** Is called at every turn of the loop that does the work, at least every 5 s. */
  onTurn?: () => void;
}

/** The longest time between two turns of a loop, in milliseconds. */
export const TURN_MS = 5_000;

/** The agent's working half: claims captures, uploads several at a time, settles each. */
export class Delivery {
  readonly #uploader: DeliveryUploader;
  readonly #breaker: Breaker;
  readonly #wakeup: Wakeup;
  readonly #options: DeliveryOptions;
  readonly #settler: Settler;
  readonly #claims: Claims;
  readonly #concurrency: Concurrency;
  readonly #judge: Judge;

  constructor(
    parts: {
      queue: DeliveryQueue;
      uploader: DeliveryUploader;
      breaker: Breaker;
      wakeup: Wakeup;
      log: Log;
    },
    options: DeliveryOptions,
  ) {
    this.#uploader = parts.uploader;
    this.#breaker = parts.breaker;
    this.#wakeup = parts.wakeup;
    this.#options = options;
    this.#claims = new Claims({
      own: new Bookkeeping(parts.queue, options.spool),
      countWaiting: () => parts.queue.getStats().pending,
      startThread: options.startThread,
      onAnswer: () => parts.wakeup.wake(),
      log: parts.log,
    });
    this.#settler = new Settler(
      (settlements, spent) => this.#claims.books.settle(settlements, spent),
      parts.log,
    );
    this.#concurrency = new Concurrency({ max: options.concurrency ?? 32 });
    this.#judge = new Judge({
      isReady: (signal) => parts.uploader.checkServer({ signal }),
      breaker: parts.breaker,
      concurrency: this.#concurrency,
      settler: this.#settler,
      onDelivered: options.onDelivered,
      log: parts.log,
    });
  }

  /**
   * Sends what is due, each place taken again as soon as it is free, until
   * nothing is due, or the breaker opens. What is enqueued meanwhile is sent too.
   *
   * @param stop Nothing is begun any more when it aborts.
   * @param abort Uploads under way end when it aborts, and are put back.
   * @returns What was done since the last call; all of it is committed.
   */
  async drain(stop: AbortSignal, abort: AbortSignal): Promise<PassReport> {
    const running = new Set<Promise<void>>();
    const turns = setInterval(() => this.#wakeup.wake(), TURN_MS);
    try {
      while (this.#begin(running, stop, abort)) {
        this.#options.onTurn?.();
        // Every upload that ends wakes it, and everything that is enqueued.
        await this.#wakeup.sleep();
      }
    } finally {
      clearInterval(turns);
      await Promise.all(running);
      await this.#settler.end();
      await this.#claims.end();
    }
    return this.#judge.takeReport();
  }

  /** Takes the free places; returns whether anything is under way. */
  #begin(
    running: Set<Promise<void>>,
    stop: AbortSignal,
    abort: AbortSignal,
  ): boolean {
    const { limit } = this.#concurrency;
    while (!stop.aborted && running.size < this.#breaker.allowed(limit)) {
      const capture = this.#claims.next(limit);
      if (!capture) break;
      const upload = this.#upload(capture, abort).finally(() => {
        this.#concurrency.ended();
        this.#claims.done(capture);
        running.delete(upload);
        this.#wakeup.wake();
      });
      running.add(upload);
    }
    if (running.size < limit) this.#concurrency.starved();
    return running.size > 0 || this.#claims.isAsking;
  }

  async #upload(capture: ClaimedCapture, abort: AbortSignal): Promise<void> {
    const { id, size, mtimeMs, content } = capture;
    const { spool, refuseChanged = false } = this.#options;
    const known = size !== null && mtimeMs !== null;
    try {
      const result = await this.#uploader.upload(
        capture.spooled && spool ? spool.pathOf(id) : capture.filepath,
        parseMetadata(capture.metadataJson),
        {
          idempotencyKey: id,
          filename: basename(capture.filepath),
          signal: abort,
          ...(content && { content }),
          ...(refuseChanged && known && { expected: { size, mtimeMs } }),
        },
      );
      reached("answered");
      await this.#judge.judge(capture, result, abort);
    } catch (error) {
      if (abort.aborted) return this.#judge.release(id);
      // Metadata that cannot be read, for one.
      const reason = error instanceof Error ? error.message : String(error);
      this.#judge.fail(capture, reason);
    }
  }
}
