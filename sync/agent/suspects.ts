import type { QueuedCapture } from "../queue/queue.ts";
import type { Readiness, UploadResult } from "../upload/uploader.ts";
import type { AgentParts } from "./agent_options.ts";
import { statusText } from "../upload/status_text.ts";
import type { Throttle } from "./throttle.ts";

/** A capture that was not delivered. */
export interface Attempt {
  capture: QueuedCapture;
  /** Why, with the server's words. */
  error: string;
  /** Why, without them. */
  reason: string;
  /** `undefined` if an unforeseen error ended it. */
  result?: UploadResult;
  /** Whether its bytes are nowhere any more: nobody can do anything about it. */
  isLost?: boolean;
  /** When it ended (`performance.now`). */
  endedMs: number;
}

/** What is done about captures whose fault it is, or is not. */
interface Blame {
  /** Is called with a capture that failed while others passed. */
  onOwnFault: (attempt: Attempt) => void;
  /**
   * Is called with a capture that failed as others did.
   *
   * @param isReady Whether the server says that it is ready all the same.
   */
  onServersFault: (attempt: Attempt, isReady: boolean) => void;
}

/** After so many failed captures in a row it may be the server's fault. */
const MAX_SUSPECTS = 4;

/** With these a server says that it has no health page. */
const NO_HEALTH_PAGE = [404, 405, 501];

/**
 * Finds out whose fault it is that captures fail: what one does while others pass
 * is its own, what all do is the server's.
 *
 * So one that fails is a suspect until another one that was begun later is
 * delivered, or some have failed in a row, or the server is known to be down.
 */
export class Suspects {
  readonly #options: Pick<AgentParts, "uploader"> & Blame;
  readonly #throttle: Throttle;
  #suspects: Attempt[] = [];
  #deliveredMs = -Infinity;
  #probing: Promise<Readiness> | undefined;

  constructor(options: Pick<AgentParts, "uploader" | "throttle"> & Blame) {
    this.#options = options;
    this.#throttle = options.throttle;
  }

  /** @param signal Ends the question whether the server is ready. */
  async add(attempt: Attempt, signal: AbortSignal): Promise<void> {
    if (this.#throttle.mode !== "flowing") {
      const { state } = this.#throttle.standing;
      const isDown = state === "down";
      this.#throttle.failed(isDown ? "down" : "paused", attempt.reason);
      // The next trials are made with others.
      return this.#options.onServersFault(attempt, true);
    }
    this.#suspects.push(attempt);
    if (this.#suspects.length >= MAX_SUSPECTS) {
      return await this.#blameServer(signal);
    }
    const mayBeDown = attempt.result?.outcome === "unavailable";
    if (mayBeDown && !await this.#isReady(signal)) {
      await this.#blameServer(signal, false);
    }
  }

  /** @param startedMs When the attempt that succeeded began (`performance.now`). */
  delivered(capture: QueuedCapture, startedMs: number): void {
    this.#deliveredMs = performance.now();
    this.#acquitServer(({ endedMs }) => endedMs <= startedMs);
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
    this.#acquitServer(({ endedMs }) => endedMs < this.#deliveredMs);
    await this.#blameServer(signal);
  }

  /** Asks the server whether it is ready; returns why it is not, or `null`. */
  async probe(signal: AbortSignal): Promise<string | null> {
    this.#probing ??= this.#options.uploader.probe({ signal })
      .finally(() => this.#probing = undefined);
    const readiness = await this.#probing;
    if (readiness.ready) return null;
    const { status, reason } = readiness;
    if (status === null) return reason;
    // Without a health page there is nothing to be learnt from it.
    return NO_HEALTH_PAGE.includes(status) ? null : statusText(status);
  }

  async #isReady(signal: AbortSignal): Promise<boolean> {
    return this.#throttle.healthIsWrong || await this.probe(signal) === null;
  }

  #acquitServer(isToBlame: (suspect: Attempt) => boolean): void {
    const toBlame = this.#suspects.filter(isToBlame);
    this.#suspects = this.#suspects.filter((suspect) => !isToBlame(suspect));
    toBlame.forEach((attempt) => this.#options.onOwnFault(attempt));
  }

  async #blameServer(signal: AbortSignal, ready?: boolean): Promise<void> {
    const last = this.#suspects.at(-1);
    if (!last) return;
    // At once: the answer may take its time.
    if (!signal.aborted) this.#throttle.failed("paused", last.reason);
    const isReady = ready ?? await this.#isReady(signal);
    if (!signal.aborted && !isReady) this.#throttle.failed("down", last.reason);
    for (const attempt of this.#suspects.splice(0)) {
      this.#options.onServersFault(attempt, isReady);
    }
  }
}
