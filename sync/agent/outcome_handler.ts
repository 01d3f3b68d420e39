import { messageOf } from "../host/message_of.ts";
import { sha256Of } from "../host/sha256.ts";
import type { Completion, QueuedCapture } from "../queue/queue.ts";
import type { UploadResult } from "../upload/uploader.ts";
import type { AgentParts, PassReport } from "./agent_options.ts";
import { asLost, AttemptLog } from "./attempt_log.ts";
import { HeldBack } from "./held_back.ts";
import {
  isLocalFailure,
  RECONNECT_MS,
  recordOf,
  SNOOZE_MS,
  snoozeMs,
  snoozeOrRelease,
} from "./snooze.ts";
import { SHORT_WAIT_MS } from "./server_state.ts";
import { type FailedDelivery, type ServerFault, Suspects } from "./suspects.ts";
import type { Throttle } from "./throttle.ts";

/** The path where a capture's file was missed, if it may be found elsewhere. */
type Missed = Pick<Completion, "missedAt">;

/** Applies the outcome of each attempt: to the capture, the throttle and the log. */
export class OutcomeHandler {
  readonly suspects: Suspects;
  readonly heldBack: HeldBack;
  readonly #parts: AgentParts;
  readonly #throttle: Throttle;
  readonly #log: AttemptLog;
  readonly #snoozeMs: number;
  #report: PassReport = { delivered: 0, failed: 0, postponed: 0 };

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#throttle = parts.throttle;
    this.#log = new AttemptLog(parts.log);
    this.#snoozeMs = parts.snoozeMs ?? SNOOZE_MS;
    this.heldBack = new HeldBack(parts);
    this.suspects = new Suspects({
      ...parts,
      onOwnFault: (attempt) => this.#chargeOrSnooze(attempt),
      onServerFault: (attempt, fault) => this.#holdBack(attempt, fault),
      onAllInProgress: (ids) => this.heldBack.hold(ids),
    });
  }

  /** How many captures were delivered since the last report. */
  get delivered(): number {
    return this.#report.delivered;
  }

  /** Returns the results since the last call. */
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
    const reason = result.reason ?? error;
    const endedMs = performance.now();
    const isLocal = isLocalFailure(result);
    const wasReleased = this.heldBack.attemptEnded(capture.id, { isLocal });
    const attempt = { capture, result, error, reason, endedMs, wasReleased };
    const { outcome, elapsedMs } = result;
    this.#parts.onAttempt?.({
      outcome,
      elapsedMs,
      bytes: result.sent?.size ?? capture.size ?? 0,
    });
    switch (outcome) {
      case "delivered":
        this.#deliver(capture, result);
        this.suspects.delivered(capture, options.startedMs);
        return this.heldBack.makeAllDue();
      case "rejected":
        if (isLocal) return this.#miss(attempt);
        // A proxy that lets nobody in answers everything like this.
        if (await this.suspects.addIfUnready(attempt, options)) return;
        this.discard(attempt);
        this.#throttle.delivered(capture);
        return this.heldBack.makeAllDue();
      case "busy":
        return this.#wait(attempt, options.startedMs);
      case "in_progress":
        return await this.suspects.addInProgress(attempt, options.signal);
      case "unreadable":
        // It was found elsewhere while this attempt looked for it.
        if (this.#hasMoved(capture)) return this.release(capture);
        return this.#snooze(attempt);
      case "deferred":
        return this.#snooze(attempt);
      case "exhausted":
        // Neither the capture nor the server can help it.
        this.#throttle.exhausted(options.startedMs);
        this.#parts.patience.met(new Error(reason), "open files to be closed");
        return this.release(capture);
      case "unavailable":
      case "server_error":
      case "refused":
        return await this.suspects.add(attempt, options.signal);
    }
  }

  /** Handles an unforeseen error: it says nothing of the capture. */
  async handleError(
    capture: QueuedCapture,
    cause: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    this.#log.unforeseen(capture, cause);
    const error = messageOf(cause);
    const endedMs = performance.now();
    const wasReleased = this.heldBack.attemptEnded(capture.id);
    const attempt = { capture, error, reason: error, endedMs, wasReleased };
    await this.suspects.add(attempt, signal);
  }

  /** The attempt was broken off, and counts for nothing. */
  release({ id }: QueuedCapture): void {
    this.#parts.completer.add({ completion: { id, kind: "release" } });
  }

  /** No further attempt would change anything. */
  discard(attempt: Omit<FailedDelivery, "endedMs">, missed: Missed = {}): void {
    const { capture: { id }, error, result } = attempt;
    const record = { id, error, ...missed, ...recordOf(result) };
    this.#parts.completer.add({
      completion: { kind: "discard", ...record },
      after: () => {
        if (this.#hasFailed(id)) this.#fail(attempt);
      },
    });
  }

  /** The capture's own fault. */
  #chargeOrSnooze(attempt: FailedDelivery): void {
    if (attempt.result?.outcome === "server_error") this.#charge(attempt);
    else this.#snooze(attempt);
  }

  /** The server's fault: if it is the capture's after all, the next trials are made with others. */
  #holdBack(attempt: FailedDelivery, { isReady, isTrial }: ServerFault): void {
    const downMs = isTrial ? RECONNECT_MS : 0;
    const delayMs = isReady ? this.heldBack.add(attempt, isTrial) : downMs;
    this.#snoozeFor(attempt, delayMs);
  }

  /** The file is gone, or another one: if it was renamed a moment ago, that is found out meanwhile. */
  #miss(attempt: FailedDelivery): void {
    const { capture, error } = attempt;
    const mayBeFound = this.#parts.onMissed?.(capture) ?? false;
    const missed = mayBeFound ? { missedAt: capture.filepath } : {};
    if (!mayBeFound || capture.lastError === error) {
      const isLost = this.#parts.queue.isOverwritten(capture.id);
      return this.discard(isLost ? asLost(attempt) : attempt, missed);
    }
    this.#snoozeFor(attempt, this.#snoozeMs, missed);
    this.#log.snoozed(attempt, this.#snoozeMs);
  }

  #hasFailed(id: string): boolean {
    return this.#parts.queue.get(id)?.status === "failed";
  }

  #hasMoved({ id, filepath }: QueuedCapture): boolean {
    return this.#parts.queue.get(id)?.filepath !== filepath;
  }

  /** The capture waits for as long as the server asks, and whether all others must is found out. */
  #wait(attempt: FailedDelivery, startedMs: number): void {
    const { capture, reason, result } = attempt;
    const retryAfterMs = result?.retryAfterMs ?? null;
    const answer = { capture, reason, retryAfterMs, startedMs };
    this.#throttle.busy(answer);
    const { busyAnswers, waitMs } = this.#throttle;
    const delayMs = busyAnswers.delayMs(answer, waitMs);
    this.#snoozeFor(attempt, delayMs);
    // An outage is logged once.
    const isSingle = this.#throttle.server.state !== "paused";
    const isLong = delayMs > SHORT_WAIT_MS;
    if (isSingle && isLong) this.#log.snoozed(attempt, delayMs);
  }

  /** Snoozes this capture alone, for twice as long each time. */
  #snooze(attempt: FailedDelivery): void {
    const { capture: { snoozes }, result } = attempt;
    const delayMs = snoozeMs(result, { snoozes, firstMs: this.#snoozeMs });
    this.#snoozeFor(attempt, delayMs);
    this.#log.snoozed(attempt, delayMs);
  }

  #snoozeFor(
    { capture, error, result }: FailedDelivery,
    delayMs: number,
    missed: Missed = {},
  ): void {
    this.#report.postponed++;
    const completion = snoozeOrRelease(capture.id, { error, result, delayMs });
    this.#parts.completer.add({ completion: { ...completion, ...missed } });
  }

  #charge(attempt: FailedDelivery): void {
    const { capture: { id }, error, result } = attempt;
    this.#parts.completer.add({
      completion: { id, kind: "charge", error, ...recordOf(result) },
      after: () => {
        if (this.#hasFailed(id)) return this.#fail(attempt);
        this.#report.postponed++;
        this.#log.charged(attempt);
      },
    });
  }

  #deliver(capture: QueuedCapture, result: UploadResult): void {
    this.#report.delivered++;
    const { id, spooled, watched, metadataJson } = capture;
    const { captureId, sha256, sent } = result;
    const metadataSha256 = watched ? sha256Of(metadataJson) : null;
    const proof = { captureId, sha256, identity: sent, metadataSha256 };
    this.#parts.completer.add({
      completion: { id, kind: "delivered", ...proof, ...recordOf(result) },
      after: async () => {
        if (spooled) await this.#parts.spool?.removeDelivered(id);
        await this.#parts.onDelivered?.(capture, result);
      },
    });
    this.#log.delivered(capture, result);
  }

  #fail(attempt: Omit<FailedDelivery, "endedMs">): void {
    this.#report.failed++;
    this.#log.failed(attempt);
    this.#parts.onFailed?.(attempt.capture);
  }
}
