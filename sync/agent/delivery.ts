import { basename } from "@std/path";
import type { Breaker } from "./breaker.ts";
import { Prefetch } from "./prefetch.ts";
import { Concurrency } from "./concurrency.ts";
import { reached } from "../host/fault_point.ts";
import { OutcomeHandler, type PassReport } from "./outcome_handler.ts";
import type { Log } from "../host/log.ts";
import { type Metadata, parseMetadata } from "../capture/metadata.ts";
import type { QueuedCapture, UploadQueue } from "../queue/queue.ts";
import type { Spool } from "../spool/spool.ts";
import { BatchCompleter } from "./batch_completer.ts";
import type { UploadOptions, UploadResult } from "../upload/uploader.ts";
import type { Wakeup } from "../host/wakeup.ts";

/** What delivering needs of a queue. */
export type DeliveryQueue = Pick<UploadQueue, "claim" | "settle">;

/** What delivering needs of a spool. */
export type DeliverySpool = Pick<Spool, "pathOf" | "discard">;

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
  readonly #completer: BatchCompleter;
  readonly #prefetch: Prefetch;
  readonly #concurrency: Concurrency;
  readonly #outcomes: OutcomeHandler;

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
    this.#prefetch = new Prefetch(parts.queue);
    this.#completer = new BatchCompleter(parts.queue, parts.log);
    this.#concurrency = new Concurrency({ max: options.concurrency ?? 32 });
    this.#outcomes = new OutcomeHandler({
      isReady: (signal) => parts.uploader.checkServer({ signal }),
      breaker: parts.breaker,
      concurrency: this.#concurrency,
      completer: this.#completer,
      spool: options.spool,
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
      await this.#completer.end(abort);
      this.#prefetch.release();
    }
    return this.#outcomes.takeReport();
  }

  /** Takes the free places; returns whether anything is under way. */
  #begin(
    running: Set<Promise<void>>,
    stop: AbortSignal,
    abort: AbortSignal,
  ): boolean {
    const { limit } = this.#concurrency;
    while (!stop.aborted && running.size < this.#breaker.allowed(limit)) {
      const capture = this.#prefetch.next(limit);
      if (!capture) break;
      const upload = this.#upload(capture, abort).finally(() => {
        this.#concurrency.ended();
        running.delete(upload);
        this.#wakeup.wake();
      });
      running.add(upload);
    }
    if (running.size < limit) this.#concurrency.starved();
    return running.size > 0;
  }

  async #upload(capture: QueuedCapture, abort: AbortSignal): Promise<void> {
    const { id, size, mtimeMs } = capture;
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
          ...(refuseChanged && known && { expected: { size, mtimeMs } }),
        },
      );
      reached("answered");
      await this.#outcomes.judge(capture, result, abort);
    } catch (error) {
      if (abort.aborted) return this.#outcomes.release(id);
      // Metadata that cannot be read, for one.
      const reason = error instanceof Error ? error.message : String(error);
      this.#outcomes.fail(capture, reason);
    }
  }
}
