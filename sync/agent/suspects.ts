import type { QueuedCapture } from "../queue/queue.ts";
import type { Readiness, UploadResult } from "../upload/uploader.ts";
import type { AgentParts } from "./agent_options.ts";
import { problemOf } from "../upload/readiness.ts";
import type { Throttle } from "./throttle.ts";

/** An attempt that did not deliver its capture. */
export interface FailedDelivery {
  capture: QueuedCapture;
  /** The reason, with the server's words. */
  error: string;
  /** The reason, without them. */
  reason: string;
  /** `undefined` if an unforeseen error ended it. */
  result?: UploadResult;
  /** Whether its bytes are nowhere any more: nobody can do anything about it. */
  isLost?: boolean;
  /** Whether it was made because the server was usable again. */
  wasReleased?: boolean;
  /** When it ended (`performance.now`). */
  endedMs: number;
}

/** What is known of the server when it is blamed. */
export interface ServerFault {
  /** Whether it says that it is ready all the same. */
  isReady: boolean;
  /** Whether the capture was to show if it takes any again. */
  isTrial: boolean;
}

/** The ways back to the handler. */
interface SuspectsCallbacks {
  /** Is called with a capture that failed while others passed. */
  onOwnFault: (attempt: FailedDelivery) => void;
  /** Is called with a capture that failed as others did. */
  onServerFault: (attempt: FailedDelivery, fault: ServerFault) => void;
  /** Is called with captures that went back by `onOwnFault`, and failed as all do. */
  onAllInProgress: (ids: Iterable<string>) => void;
}

/** After so many failed captures in a row it may be the server's fault. */
const MAX_SUSPECTS = 4;

/** After so many rejected captures in a row it is the server that says it is not ready. */
const MAX_REJECTED = 16;
/** After so long, in milliseconds, it is asked anew whether it takes captures though it says that it is not ready. */
const UNREADY_MS = 300_000;
/** For so long a delivery shows that the server was usable, in milliseconds. */
const MEANWHILE_MS = 5_000;

/**
 * Finds out whose fault it is that captures fail: if one fails while others pass it
 * is its own, if all fail it is the server's. So one that fails is a suspect until that
 * is known; then it goes back to the `OutcomeHandler`, which charges, snoozes or holds
 * it back:
 *
 * ```text
 *   OutcomeHandler.handle()
 *     │ failed, while flowing           one begun later is delivered
 *     ├─▶ add() ──▶ suspects ──────────────────────────────────────▶ onOwnFault()
 *     │               │ several in a row, or noOthers() to send,
 *     │               ▼ or the server says that it is not ready
 *     │             throttle.failed() ─────────────────────────────▶ onServerFault()
 *     │ failed, while waiting or trying                              ▲
 *     └─▶ add() ─────────────────────────────────────────────────────┘
 * ```
 *
 * An answer that may be the capture's own matter, though it proves no fault of it, is
 * taken by `addInProgress()` or `addIfUnready()`.
 */
export class Suspects {
  readonly #options: Pick<AgentParts, "uploader"> & SuspectsCallbacks;
  readonly #throttle: Throttle;
  #suspects: FailedDelivery[] = [];
  /** The first captures since the last delivery whose earlier request was in progress. */
  readonly #inProgress = new Set<string>();
  /** The captures that were rejected by an unready server since the last delivery. */
  readonly #rejected = new Set<string>();
  #deliveredMs = -Infinity;
  /** When the last one that was delivered had begun. */
  #takenMs = -Infinity;
  /** When a capture was rejected last by a server that said it is not ready, and first. */
  #unreadyMs = -Infinity;
  #unreadySinceMs = -Infinity;
  #probing: Promise<Readiness> | undefined;
  /** Why the last probe got no answer; `undefined` if it got one. */
  #unreachable: string | undefined;

  constructor(
    options: Pick<AgentParts, "uploader" | "throttle"> & SuspectsCallbacks,
  ) {
    this.#options = options;
    this.#throttle = options.throttle;
  }

  /**
   * @param signal Ends the question whether the server is ready.
   * @param isUnready Whether it has said that it is not, since this attempt ended.
   */
  async add(
    attempt: FailedDelivery,
    signal: AbortSignal,
    isUnready = false,
  ): Promise<void> {
    const { mode, server: { state } } = this.#throttle;
    if (mode !== "flowing") {
      const isTrial = mode === "trying";
      const isDown = isUnready || state === "down";
      if (isTrial) {
        if (isDown) this.#throttle.failed("down", this.#whyDown(attempt));
        else this.#throttle.failed("paused", attempt.reason);
      }
      // Another one was in flight when the others failed, and means what they do.
      const isReady = !isDown && (isTrial || await this.#isReady(signal));
      return this.#options.onServerFault(attempt, { isReady, isTrial });
    }
    this.#suspects.push(attempt);
    if (isUnready) return await this.#blameServer(signal, false);
    const outcome = attempt.result?.outcome;
    const areAll = outcome === "in_progress" ||
      this.#suspects.length >= MAX_SUSPECTS;
    if (areAll) return await this.#blameServer(signal);
    const mayBeDown = outcome === "unavailable";
    if (mayBeDown && !await this.#isReady(signal)) {
      await this.#blameServer(signal, false);
    }
  }

  /**
   * Takes an attempt whose earlier request is in progress, as the server says: its own
   * fault, unless the server says so of several in a row.
   */
  async addInProgress(
    attempt: FailedDelivery,
    signal: AbortSignal,
  ): Promise<void> {
    const ids = this.#inProgress;
    if (ids.size < MAX_SUSPECTS) {
      ids.add(attempt.capture.id);
      if (ids.size < MAX_SUSPECTS) return this.#options.onOwnFault(attempt);
      this.#options.onAllInProgress(ids);
    }
    await this.add(attempt, signal);
  }

  /**
   * Takes an attempt that was rejected, if the server says that it is not
   * ready; returns whether it does. It waits alone, until so many were rejected in a row
   * that all must. The server is not asked again if it took a capture meanwhile, or has
   * said that it is down; what it says does not count if it took some in spite of it.
   *
   * @param options `startedMs` is when the attempt began (`performance.now`).
   */
  async addIfUnready(
    attempt: FailedDelivery,
    { startedMs, signal }: { startedMs: number; signal: AbortSignal },
  ): Promise<boolean> {
    const sinceMs = Math.max(startedMs, performance.now() - MEANWHILE_MS);
    const isDown = this.#throttle.server.state === "down";
    if (!isDown) {
      const isReady = this.#deliveredMs > sinceMs ||
        await this.#isReady(signal);
      if (isReady || this.#takesThoughUnready(attempt)) return false;
    }
    if (!isDown) this.#rejected.add(attempt.capture.id);
    const areAll = isDown || this.#rejected.size >= MAX_REJECTED;
    if (areAll) {
      await this.add(attempt, signal, true);
      return true;
    }
    this.#throttle.doubt(attempt.reason);
    this.#options.onServerFault(attempt, { isReady: true, isTrial: false });
    return true;
  }

  /** Whether the server took a capture that was begun after it first said that it is not ready. */
  #takesThoughUnready({ endedMs }: FailedDelivery): boolean {
    if (endedMs - this.#unreadyMs > UNREADY_MS) this.#unreadySinceMs = endedMs;
    this.#unreadyMs = endedMs;
    return this.#takenMs > this.#unreadySinceMs;
  }

  /** @param startedMs When the attempt that succeeded began (`performance.now`). */
  delivered(capture: QueuedCapture, startedMs: number): void {
    this.#deliveredMs = performance.now();
    this.#takenMs = Math.max(this.#takenMs, startedMs);
    this.#inProgress.clear();
    this.#rejected.clear();
    this.#blameCaptures(({ endedMs }) => endedMs <= startedMs);
    this.#throttle.delivered(capture);
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
    // A delivery that ended after a failure shows that the server was up.
    this.#blameCaptures(({ endedMs }) => endedMs < this.#deliveredMs);
    await this.#blameServer(signal);
  }

  /** Asks the server whether it is ready; returns why it is not, or `null`. */
  async probe(signal: AbortSignal): Promise<string | null> {
    this.#probing ??= this.#options.uploader.probe({ signal })
      .finally(() => this.#probing = undefined);
    const readiness = await this.#probing;
    const isUnanswered = !readiness.ready && readiness.status === null;
    this.#unreachable = isUnanswered ? readiness.reason : undefined;
    return problemOf(readiness);
  }

  /** Without an answer a capture may only be stored slowly; a probe without one tells more. */
  #whyDown({ reason, result }: FailedDelivery): string {
    const isUnanswered = result?.status === null;
    return isUnanswered ? this.#unreachable ?? reason : reason;
  }

  async #isReady(signal: AbortSignal): Promise<boolean> {
    return this.#throttle.healthIsWrong || await this.probe(signal) === null;
  }

  #blameCaptures(isOwnFault: (suspect: FailedDelivery) => boolean): void {
    const toBlame = this.#suspects.filter(isOwnFault);
    this.#suspects = this.#suspects.filter((suspect) => !isOwnFault(suspect));
    toBlame.forEach((attempt) => this.#options.onOwnFault(attempt));
  }

  async #blameServer(signal: AbortSignal, ready?: boolean): Promise<void> {
    const last = this.#suspects.at(-1);
    if (!last) return;
    // At once: the answer may take its time.
    if (!signal.aborted) this.#throttle.failed("paused", last.reason);
    const isReady = ready ?? await this.#isReady(signal);
    if (!signal.aborted && !isReady) {
      this.#throttle.failed("down", this.#whyDown(last));
    }
    for (const attempt of this.#suspects.splice(0)) {
      this.#options.onServerFault(attempt, { isReady, isTrial: false });
    }
  }
}
