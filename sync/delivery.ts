import { basename } from "@std/path";
import {
  type BookkeeperAside,
  Bookkeeping,
  type BookkeepingQueue,
  type BookkeepingSpool,
} from "./bookkeeping.ts";
import type { Breaker } from "./breaker.ts";
import { Claims } from "./claims.ts";
import { Concurrency } from "./concurrency.ts";
import { reached } from "./fault_point.ts";
import type { Log } from "./log.ts";
import { type Metadata, parseMetadata } from "./metadata.ts";
import type { QueuedCapture, Settlement } from "./queue.ts";
import type { ClaimedCapture } from "./read_ahead.ts";
import { Settler } from "./settler.ts";
import type { UploadOptions, UploadResult } from "./uploader.ts";
import type { Wakeup } from "./wakeup.ts";

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

/** What one pass did. */
export interface PassReport {
  delivered: number;
  /** Captures that are `failed` now. */
  failed: number;
  /** Captures that will be tried again, charged or not. */
  postponed: number;
}

/** The longest time between two turns of a loop, in milliseconds. */
export const TURN_MS = 5_000;

/** How long a capture steps aside at first, and at most, for which a ready server could not be used. */
const ASIDE_MS = 60_000;
const MAX_ASIDE_MS = 600_000;
/** Of so many captures it is remembered how often they stepped aside. */
const MAX_ASIDE = 1000;

/** The agent's working half: claims captures, uploads several at a time, settles each. */
export class Delivery {
  readonly #uploader: DeliveryUploader;
  readonly #breaker: Breaker;
  readonly #wakeup: Wakeup;
  readonly #log: Log;
  readonly #options: DeliveryOptions;
  readonly #settler: Settler;
  readonly #claims: Claims;
  readonly #concurrency: Concurrency;
  readonly #aside = new Map<string, number>();
  #report: PassReport = { delivered: 0, failed: 0, postponed: 0 };

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
    this.#log = parts.log;
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
    this.#report = { delivered: 0, failed: 0, postponed: 0 };
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
    return this.#report;
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
      await this.#judge(capture, result, abort);
    } catch (error) {
      if (abort.aborted) {
        return this.#settler.add({ settlement: { id, kind: "released" } });
      }
      // Metadata that cannot be read, for one: a later attempt changes nothing.
      this.#fail(capture, error instanceof Error ? error.message : `${error}`);
    }
  }

  /** What becomes of the capture and of the server's standing; see `outcome.ts`. */
  async #judge(
    capture: QueuedCapture,
    result: UploadResult,
    signal: AbortSignal,
  ): Promise<void> {
    const error = result.error ?? "no reason given";
    switch (result.outcome) {
      case "delivered":
        this.#deliver(capture, result);
        return this.#breaker.succeeded();
      case "reject":
        this.#fail(capture, error);
        // Without a file nothing was asked of the server.
        return result.sent ? this.#breaker.succeeded() : undefined;
      case "retry":
        return await this.#charge(capture, error, result, signal);
      case "pause":
        return await this.#pause(capture, error, result, signal);
    }
  }

  /** An attempt counts against the capture only if the server is well otherwise. */
  async #charge(
    { id, filepath }: QueuedCapture,
    error: string,
    { retryAfterMs }: UploadResult,
    signal: AbortSignal,
  ): Promise<void> {
    this.#report.postponed++;
    if (await this.#uploader.checkServer({ signal })) {
      this.#settler.add({ settlement: { id, kind: "charged", error } });
      const name = `Capture "${basename(filepath)}" (${id})`;
      this.#log("warn", `${name} was not taken, will be tried again: ${error}`);
      this.#breaker.succeeded();
    } else {
      this.#settler.add({ settlement: { id, kind: "released", error } });
      this.#refused();
      this.#breaker.trip({ state: "down", reason: error, retryAfterMs });
    }
  }

  /**
   * The server cannot be used, as far as this capture shows. If it says all the
   * same that it is ready, the fault may lie with this capture (one that a proxy
   * on the way refuses): it steps aside, uncharged, so that the next trial is
   * made with another one.
   */
  async #pause(
    { id }: QueuedCapture,
    error: string,
    { retryAfterMs }: UploadResult,
    signal: AbortSignal,
  ): Promise<void> {
    this.#report.postponed++;
    const asked = retryAfterMs !== null;
    const ready = asked || await this.#uploader.checkServer({ signal });
    const state = ready ? "paused" : "down";
    this.#refused();
    this.#breaker.trip({ state, reason: error, retryAfterMs });
    if (ready && !asked) this.#stepAside(id, error);
    else this.#settler.add({ settlement: { id, kind: "released", error } });
  }

  /** Of several captures under way only the first lowers the level. */
  #refused(): void {
    if (!this.#breaker.isOpen) this.#concurrency.refused();
  }

  #stepAside(id: string, error: string): void {
    const times = this.#aside.get(id) ?? 0;
    if (this.#aside.size >= MAX_ASIDE) this.#aside.clear();
    this.#aside.set(id, times + 1);
    const delayMs = Math.min(ASIDE_MS * 2 ** times, MAX_ASIDE_MS);
    this.#settler.add({ settlement: { id, kind: "deferred", error, delayMs } });
  }

  #deliver(capture: QueuedCapture, result: UploadResult): void {
    const { id, size, spooled, filepath } = capture;
    const { captureId, sent, warning } = result;
    this.#report.delivered++;
    this.#aside.delete(id);
    const settlement: Settlement = {
      id,
      kind: "delivered",
      captureId,
      ...(sent && { sent }),
    };
    this.#settler.add({
      settlement,
      ...(spooled && { spent: { id, size } }),
      after: () => this.#options.onDelivered?.(capture, result),
    });
    const name = `Capture "${basename(filepath)}" (${id})`;
    if (warning) this.#log("warn", `${name}: ${warning}`);
    this.#log("debug", `${name} is delivered`);
  }

  #fail({ id, filepath }: QueuedCapture, error: string): void {
    this.#report.failed++;
    this.#settler.add({ settlement: { id, kind: "rejected", error } });
    this.#log(
      "error",
      `Capture "${
        basename(filepath)
      }" (${id}) failed and is kept until it is retried or removed: ${error}`,
    );
  }
}
