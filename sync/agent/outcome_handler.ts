import { format as formatDuration } from "@std/fmt/duration";
import { basename } from "@std/path";
import type { Log } from "../host/log.ts";
import type { QueuedCapture, UploadQueue } from "../queue/queue.ts";
import type { Spool } from "../spool/spool.ts";
import type {
  CaptureUploader,
  Readiness,
  UploadResult,
} from "../upload/uploader.ts";
import type { BatchCompleter } from "./batch_completer.ts";
import { countSnooze, snoozesOf } from "./completions.ts";
import type { Throttle } from "./throttle.ts";

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
  queue: Pick<UploadQueue, "get">;
  uploader: Pick<CaptureUploader, "probe">;
  throttle: Throttle;
  completer: BatchCompleter;
  /** Where captures lie that are `spooled`. */
  spool?: Pick<Spool, "discard"> | undefined;
  /** Is called when a delivery is recorded, and waited for. */
  onDelivered?:
    | ((capture: QueuedCapture, result: UploadResult) => void | Promise<void>)
    | undefined;
  /** How long a capture is snoozed the first time, in milliseconds. @default {60000} */
  snoozeMs?: number | undefined;
  log: Log;
}

/** The longest that a capture is snoozed for a reason of its own, in milliseconds. */
const MAX_SNOOZE_MS = 3_600_000;
/** The same where it may be the server's: once that is mended it should not take long. */
const MAX_PAUSE_MS = 600_000;

/** After so many failed captures in a row it may be the server's fault. */
const MAX_SUSPECTS = 4;

/** With these a server says that it has no health page. */
const NO_HEALTH_PAGE = [404, 405, 501];

/** A capture that was not delivered. */
interface Attempt {
  capture: QueuedCapture;
  error: string;
  /** `undefined` if an unforeseen error ended it. */
  result?: UploadResult;
  endedMs: number;
}

/**
 * Decides what an attempt means: for the capture, for the throttle, for the log.
 *
 * What one capture does while others pass is its own, what all do is the
 * server's. So one that fails is a suspect until another one that was begun
 * later is delivered, or some have failed in a row.
 */
export class OutcomeHandler {
  readonly #options: OutcomeHandlerOptions;
  readonly #throttle: Throttle;
  readonly #snoozeMs: number;
  #suspects: Attempt[] = [];
  #deliveredMs = -Infinity;
  #probing: Promise<Readiness> | undefined;
  #report: PassReport = { delivered: 0, failed: 0, postponed: 0 };

  constructor(options: OutcomeHandlerOptions) {
    this.#options = options;
    this.#throttle = options.throttle;
    this.#snoozeMs = options.snoozeMs ?? 60_000;
  }

  /** Returns what was done since the last call. */
  takeReport(): PassReport {
    const report = this.#report;
    this.#report = { delivered: 0, failed: 0, postponed: 0 };
    return report;
  }

  /**
   * Does what an outcome asks for; see `upload/outcome.ts`.
   *
   * @param options `startedMs` is when the attempt began (`performance.now`),
   * `signal` ends the question whether the server is ready.
   */
  async handle(
    capture: QueuedCapture,
    result: UploadResult,
    options: { startedMs: number; signal: AbortSignal },
  ): Promise<void> {
    const error = result.error ?? "no reason given";
    const attempt = { capture, result, error, endedMs: performance.now() };
    switch (result.outcome) {
      case "delivered":
        this.#deliver(capture, result);
        this.#blame(({ endedMs }) => endedMs <= options.startedMs);
        return this.#throttle.delivered();
      case "rejected":
        this.discard(capture, error, result);
        // Without an answer the server was not asked.
        if (result.status !== null) this.#throttle.delivered();
        return;
      case "busy":
        this.#throttle.busy(error, result.retryAfterMs);
        return this.#postpone(attempt, this.#throttle.waitMs);
      case "in_progress":
      case "unreadable":
        return this.#setAside(attempt);
      case "unavailable":
      case "server_error":
      case "refused":
        return await this.#suspect(attempt, options.signal);
    }
  }

  /** Does what an error asks for that nobody foresaw: it says nothing of the capture. */
  async handleError(
    capture: QueuedCapture,
    cause: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    const { message, stack } = cause instanceof Error
      ? cause
      : new Error(String(cause));
    this.#options.log(
      "error",
      `${nameOf(capture)} could not be sent: ${stack ?? message}`,
    );
    const endedMs = performance.now();
    await this.#suspect({ capture, error: message, endedMs }, signal);
  }

  /** The attempt was broken off, and counts for nothing. */
  release({ id }: QueuedCapture): void {
    this.#options.completer.add({ completion: { id, kind: "release" } });
  }

  /** No further attempt would change anything. */
  discard(capture: QueuedCapture, error: string, result?: UploadResult): void {
    const { id } = capture;
    this.#options.completer.add({
      completion: { id, kind: "discard", error, ...recordOf(result) },
      after: () => this.#tellFailed(capture, error),
    });
  }

  /**
   * There is nothing else to send that could show whose fault it is.
   *
   * @param options `afterMs` leaves those alone that failed later than so long ago.
   */
  async noOthers(
    signal: AbortSignal,
    { afterMs = 0 }: { afterMs?: number } = {},
  ): Promise<void> {
    const [first] = this.#suspects;
    if (!first || performance.now() - first.endedMs < afterMs) return;
    // What was begun before and delivered after still shows something.
    this.#blame(({ endedMs }) => endedMs < this.#deliveredMs);
    await this.#blameServer(signal);
  }

  /** Asks the server whether it is ready; returns why it is not, or `null`. */
  async probe(signal: AbortSignal): Promise<string | null> {
    this.#probing ??= this.#options.uploader.probe({ signal })
      .finally(() => this.#probing = undefined);
    const readiness = await this.#probing;
    if (readiness.ready) return null;
    const { status, reason } = readiness;
    // Without a health page there is nothing to be learnt from it.
    return status !== null && NO_HEALTH_PAGE.includes(status) ? null : reason;
  }

  async #suspect(attempt: Attempt, signal: AbortSignal): Promise<void> {
    if (!this.#throttle.isFlowing) {
      const isDown = this.#throttle.state === "down";
      this.#throttle.failed(isDown ? "down" : "paused", attempt.error);
      this.#snooze(attempt, MAX_PAUSE_MS);
      return;
    }
    this.#suspects.push(attempt);
    const mayBeDown = attempt.result?.outcome === "unavailable";
    if (
      this.#suspects.length >= MAX_SUSPECTS ||
      mayBeDown && !await this.#isReady(signal)
    ) await this.#blameServer(signal);
  }

  /** It is the captures' own fault. */
  #blame(isToBlame: (suspect: Attempt) => boolean): void {
    const toBlame = this.#suspects.filter(isToBlame);
    this.#suspects = this.#suspects.filter((suspect) => !isToBlame(suspect));
    for (const attempt of toBlame) {
      if (attempt.result?.outcome === "server_error") this.#charge(attempt);
      else this.#setAside(attempt);
    }
  }

  /** It is the server's fault, unless another one is delivered meanwhile: nothing is charged. */
  async #blameServer(signal: AbortSignal): Promise<void> {
    if (this.#suspects.length === 0) return;
    const isReady = await this.#isReady(signal);
    const suspects = this.#suspects.splice(0);
    const last = suspects.at(-1);
    if (!last) return;
    if (!signal.aborted) {
      this.#throttle.failed(isReady ? "paused" : "down", last.error);
    }
    for (const attempt of suspects) {
      // If it is theirs after all, the next trials are made with others.
      if (isReady) this.#snooze(attempt, MAX_PAUSE_MS);
      else this.#postpone(attempt, 0);
    }
  }

  async #isReady(signal: AbortSignal): Promise<boolean> {
    return this.#throttle.healthIsWrong || await this.probe(signal) === null;
  }

  /** This capture alone is tried again later. */
  #setAside(attempt: Attempt): void {
    const delayMs = this.#snooze(attempt, MAX_SNOOZE_MS);
    const again = formatDuration(delayMs, { ignoreZero: true });
    const { capture, error } = attempt;
    this.#options.log(
      snoozesOf(capture) <= 1 ? "warn" : "debug",
      `${nameOf(capture)} will be tried again in ${again}: ${error}`,
    );
  }

  /** Postpones by twice as long each time, and returns by how long. */
  #snooze(attempt: Attempt, maxMs: number): number {
    const backoffMs = this.#snoozeMs * 2 ** snoozesOf(attempt.capture);
    const delayMs = attempt.result?.retryAfterMs ?? Math.min(backoffMs, maxMs);
    this.#postpone(attempt, delayMs);
    return delayMs;
  }

  #postpone({ capture, error, result }: Attempt, delayMs: number): void {
    this.#report.postponed++;
    if (delayMs > 0) countSnooze(capture.id);
    const record = { id: capture.id, error, ...recordOf(result) };
    this.#options.completer.add({
      completion: delayMs > 0
        ? { kind: "snooze", delayMs, ...record }
        : { kind: "release", ...record },
    });
  }

  #charge({ capture, error, result }: Attempt): void {
    const { id } = capture;
    this.#options.completer.add({
      completion: { id, kind: "charge", error, ...recordOf(result) },
      after: () => {
        const isFailed = this.#options.queue.get(id)?.status === "failed";
        if (isFailed) return this.#tellFailed(capture, error);
        this.#report.postponed++;
        this.#options.log(
          "warn",
          `${nameOf(capture)} was not taken, will be tried again: ${error}`,
        );
      },
    });
  }

  #deliver(capture: QueuedCapture, result: UploadResult): void {
    this.#report.delivered++;
    this.#deliveredMs = performance.now();
    const { id, size, spooled } = capture;
    const { captureId, sha256, sent } = result;
    const proof = { captureId, sha256, identity: sent };
    this.#options.completer.add({
      completion: { id, kind: "delivered", ...proof, ...recordOf(result) },
      after: async () => {
        if (spooled) await this.#options.spool?.discard(id, size);
        await this.#options.onDelivered?.(capture, result);
      },
    });
    this.#options.log("debug", `${nameOf(capture)} is delivered`);
  }

  #tellFailed(capture: QueuedCapture, error: string): void {
    this.#report.failed++;
    this.#options.log(
      "error",
      `${
        nameOf(capture)
      } failed and is kept until it is retried or removed: ${error}`,
    );
  }
}

function nameOf({ id, filepath }: QueuedCapture): string {
  return `Capture "${basename(filepath)}" (${id})`;
}

/** What the queue keeps of an attempt. */
function recordOf(result: UploadResult | undefined) {
  if (!result) return {};
  const { elapsedMs, status, error, sha256 } = result;
  const startedMs = Date.now() - elapsedMs;
  return { attempt: { startedMs, elapsedMs, status, error, sha256 } };
}
