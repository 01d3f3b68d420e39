import { basename } from "@std/path";
import type { Breaker } from "./breaker.ts";
import type { Concurrency } from "./concurrency.ts";
import type { Log } from "../host/log.ts";
import type { QueuedCapture, Settlement } from "../queue/queue.ts";
import type { BatchCompleter } from "./batch_completer.ts";
import type { Spool } from "../spool/spool.ts";
import type { UploadResult } from "../upload/uploader.ts";

/** What one pass did. */
export interface PassReport {
  delivered: number;
  /** Captures that are `failed` now. */
  failed: number;
  /** Captures that will be tried again, charged or not. */
  postponed: number;
}

/** What {@linkcode OutcomeHandler} needs. */
export interface OutcomeHandlerOptions {
  /** Asks the server whether it is ready; never throws. */
  isReady: (signal: AbortSignal) => Promise<boolean>;
  breaker: Breaker;
  concurrency: Concurrency;
  completer: BatchCompleter;
  /** Where captures lie that are `spooled`. */
  spool: Pick<Spool, "discard"> | undefined;
  /** Tidies up behind a delivery that is committed. */
  onDelivered:
    | ((capture: QueuedCapture, result: UploadResult) => void | Promise<void>)
    | undefined;
  log: Log;
}

/** How long a capture steps aside at first, and at most, for which a ready server could not be used. */
const ASIDE_MS = 60_000;
const MAX_ASIDE_MS = 600_000;
/** Of so many captures it is remembered how often they stepped aside. */
const MAX_ASIDE = 1000;

/** Decides what an attempt means: for the capture, for the server's standing, for the log. */
export class OutcomeHandler {
  readonly #options: OutcomeHandlerOptions;
  readonly #aside = new Map<string, number>();
  #report: PassReport = { delivered: 0, failed: 0, postponed: 0 };

  constructor(options: OutcomeHandlerOptions) {
    this.#options = options;
  }

  /** Returns what was judged since the last call. */
  takeReport(): PassReport {
    const report = this.#report;
    this.#report = { delivered: 0, failed: 0, postponed: 0 };
    return report;
  }

  /**
   * Does what the outcome asks for; see `outcome.ts`.
   *
   * @param signal Ends the question whether the server is ready.
   */
  async judge(
    capture: QueuedCapture,
    result: UploadResult,
    signal: AbortSignal,
  ): Promise<void> {
    const error = result.error ?? "no reason given";
    switch (result.outcome) {
      case "delivered":
        this.#deliver(capture, result);
        return this.#options.breaker.succeeded();
      case "rejected":
        this.fail(capture, error);
        // Without a file nothing was asked of the server.
        return result.sent ? this.#options.breaker.succeeded() : undefined;
      case "server_error":
        return await this.#charge(capture, error, result, signal);
      case "in_progress":
      case "unreadable":
        this.#report.postponed++;
        return this.#stepAside(capture.id, error);
      case "unavailable":
      case "busy":
      case "refused":
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
    if (await this.#options.isReady(signal)) {
      this.#options.completer.add({
        completion: { id, kind: "charged", error },
      });
      const name = `Capture "${basename(filepath)}" (${id})`;
      this.#options.log(
        "warn",
        `${name} was not taken, will be tried again: ${error}`,
      );
      this.#options.breaker.succeeded();
    } else {
      this.#options.completer.add({
        completion: { id, kind: "released", error },
      });
      this.#refused();
      this.#options.breaker.trip({
        state: "down",
        reason: error,
        retryAfterMs,
      });
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
    const ready = asked || await this.#options.isReady(signal);
    const state = ready ? "paused" : "down";
    this.#refused();
    this.#options.breaker.trip({ state, reason: error, retryAfterMs });
    if (ready && !asked) this.#stepAside(id, error);
    else {this.#options.completer.add({
        completion: { id, kind: "released", error },
      });}
  }

  /** The attempt was broken off, and counts for nothing. */
  release(id: string): void {
    this.#options.completer.add({ completion: { id, kind: "released" } });
  }

  /** Of several captures under way only the first lowers the level. */
  #refused(): void {
    if (!this.#options.breaker.isOpen) this.#options.concurrency.refused();
  }

  #stepAside(id: string, error: string): void {
    const times = this.#aside.get(id) ?? 0;
    if (this.#aside.size >= MAX_ASIDE) this.#aside.clear();
    this.#aside.set(id, times + 1);
    const delayMs = Math.min(ASIDE_MS * 2 ** times, MAX_ASIDE_MS);
    this.#options.completer.add({
      completion: { id, kind: "deferred", error, delayMs },
    });
  }

  #deliver(capture: QueuedCapture, result: UploadResult): void {
    const { id, size, spooled, filepath } = capture;
    const { captureId, sent } = result;
    this.#report.delivered++;
    this.#aside.delete(id);
    const completion: Settlement = {
      id,
      kind: "delivered",
      captureId,
      ...(sent && { sent }),
    };
    this.#options.completer.add({
      completion,
      after: async () => {
        if (spooled) await this.#options.spool?.discard(id, size);
        await this.#options.onDelivered?.(capture, result);
      },
    });
    const name = `Capture "${basename(filepath)}" (${id})`;
    this.#options.log("debug", `${name} is delivered`);
  }

  /** No further attempt would change anything. */
  fail({ id, filepath }: QueuedCapture, error: string): void {
    this.#report.failed++;
    this.#options.completer.add({
      completion: { id, kind: "rejected", error },
    });
    this.#options.log(
      "error",
      `Capture "${
        basename(filepath)
      }" (${id}) failed and is kept until it is retried or removed: ${error}`,
    );
  }
}
