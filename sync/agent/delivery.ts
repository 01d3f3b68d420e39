import { basename } from "@std/path";
import { checkMetadata } from "../capture/metadata.ts";
import { reached } from "../host/fault_point.ts";
import { messageOf } from "../host/message_of.ts";
import type { Wakeup } from "../host/wakeup.ts";
import type { QueuedCapture } from "../queue/queue.ts";
import { openByPath, versionOf } from "../spool/private_copy.ts";
import type { UploadOptions } from "../upload/upload_options.ts";
import type { AgentParts } from "./agent_options.ts";
import type { OutcomeHandler } from "./outcome_handler.ts";
import { Prefetch } from "./prefetch.ts";

type DeliveryParts = AgentParts & {
  outcomes: OutcomeHandler;
  wakeup: Wakeup;
  onTurn: () => void;
};

/** The longest time between two turns of a loop, in milliseconds. */
export const TURN_MS = 5_000;

/** Larger captures leave one place to the others, in bytes: each may take hours. */
const LARGE_BYTES = 100 * 1024 * 1024;

/** Claims captures, uploads several at a time, and hands each one's outcome on. */
export class Delivery {
  readonly #options: DeliveryParts;
  readonly #prefetch: Prefetch;
  /** The uploads begun since the last wait. */
  readonly #recent = new Set<Promise<void>>();
  /** How many large captures are on their way. */
  #large = 0;
  /** How many are on their way that were not taken before. */
  #again = 0;

  constructor(options: DeliveryParts) {
    this.#options = options;
    const { queue, spool } = options;
    this.#prefetch = new Prefetch({
      claim: (...how) => {
        // Captures whose copies cannot be read would only be snoozed.
        spool?.assertReachable();
        return queue.claim(...how);
      },
      complete: (completions) => queue.complete(completions),
    });
  }

  /**
   * Sends due captures, also those enqueued meanwhile, until there are none, the
   * throttle waits, or a person has paused deliveries.
   *
   * @param stop Nothing is begun any more when it aborts.
   * @param abort Uploads under way end when it aborts, and are released.
   * @throws {Error} if an outcome could not be recorded until `abort`.
   */
  async drain(stop: AbortSignal, abort: AbortSignal): Promise<void> {
    const { throttle, wakeup, outcomes, pause, onTurn } = this.#options;
    const running = new Set<Promise<void>>();
    const turns = setInterval(() => wakeup.wake(), TURN_MS);
    try {
      while (true) {
        await this.#resume(stop);
        const isStarved = this.#begin(running, stop, abort);
        onTurn();
        if (running.size === 0) break;
        if (isStarved) {
          await outcomes.suspects.noOthers(abort, { afterMs: TURN_MS });
        }
        // Every upload that ends wakes it, and everything that is enqueued.
        const mayResume = throttle.mode === "waiting" && !stop.aborted &&
          !pause.isOn;
        await wakeup.sleep(mayResume ? throttle.waitMs : Infinity);
      }
    } finally {
      clearInterval(turns);
      await Promise.all(running);
      await outcomes.suspects.noOthers(abort);
      await this.#options.completer.end(abort, onTurn);
      this.#options.patience.try(() => this.#prefetch.release());
    }
  }

  /** Ends the throttle's wait, if it is time to. */
  async #resume(stop: AbortSignal): Promise<void> {
    const { throttle, outcomes, pause } = this.#options;
    if (stop.aborted || pause.isOn) return;
    if (throttle.mode !== "waiting" || throttle.waitMs > 0) return;
    const problem = throttle.probes
      ? await outcomes.suspects.probe(stop)
      : null;
    if (stop.aborted) return;
    throttle.resume(problem);
    this.#recent.clear();
  }

  /** Takes the free places; returns whether nothing is due for some of them. */
  #begin(
    running: Set<Promise<void>>,
    stop: AbortSignal,
    abort: AbortSignal,
  ): boolean {
    const { throttle, outcomes, patience, wakeup, pause } = this.#options;
    if (pause.isOn) return false;
    outcomes.heldBack.makeNextDue();
    // An upload from before a wait, which may take hours, does not take the place of
    // a trial after it.
    const isFree = () =>
      running.size < throttle.limit ||
      (throttle.limit > 0 && this.#recent.size === 0);
    // One that was not taken before, and may hang again, keeps no place from new ones.
    const isSpare = () =>
      throttle.mode === "flowing" && !throttle.busyAnswers.areOpen &&
      running.size < throttle.limit + this.#again;
    while (!stop.aborted && (isFree() || isSpare())) {
      const mustBeNew = !isFree();
      const capture = patience.try(() => this.#next({ mustBeNew }));
      if (!capture) break;
      const upload = this.#send(capture, abort).finally(() => {
        running.delete(upload);
        this.#recent.delete(upload);
        wakeup.wake();
      });
      running.add(upload);
      this.#recent.add(upload);
    }
    const isStarved = running.size < throttle.limit;
    if (isStarved) throttle.starved();
    return isStarved;
  }

  /** Claims a capture that may be sent now; `undefined` if none is due. */
  #next({ mustBeNew }: { mustBeNew: boolean }): QueuedCapture | undefined {
    const { limit, mode, busyAnswers, trials } = this.#options.throttle;
    const mayBeLarge = this.#large < Math.max(limit - 1, 1);
    const admits = (capture: QueuedCapture) =>
      (mayBeLarge || !isLarge(capture)) && !(mustBeNew && isAgain(capture));
    const fromEnd = trials.takeFromEnd(mode === "trying");
    if (!busyAnswers.fromEnd && !fromEnd) {
      return this.#prefetch.next(limit, admits);
    }
    const last = this.#prefetch.last(admits);
    if (last && fromEnd) trials.tookLast(last.id);
    return last;
  }

  /** Uploads a capture, and counts it meanwhile. */
  async #send(capture: QueuedCapture, abort: AbortSignal): Promise<void> {
    const [large, again] = [isLarge, isAgain].map((is) => Number(is(capture)));
    this.#large += large!;
    this.#again += again!;
    await this.#upload(capture, abort).finally(() => {
      this.#large -= large!;
      this.#again -= again!;
    });
  }

  async #upload(capture: QueuedCapture, abort: AbortSignal): Promise<void> {
    const { queue, outcomes, uploader, pause } = this.#options;
    const signal = AbortSignal.any([abort, pause.signal]);
    let metadata: string;
    let path: string;
    try {
      metadata = checkMetadata(capture.metadataJson);
      path = this.#pathOf(capture);
    } catch (error) {
      const message = messageOf(error);
      return outcomes.discard({ capture, error: message, reason: message });
    }
    try {
      const startedMs = performance.now();
      const result = await uploader.upload(path, metadata, {
        idempotencyKey: capture.id,
        filename: basename(capture.firstPath ?? capture.filepath),
        signal,
        onContent: (facts) => queue.setContent(capture.id, facts),
        ...this.#knownOf(capture),
      });
      reached("answered");
      const isLocal = result.status === null && capture.spooled;
      if (isLocal && !this.#canReachSpool()) return outcomes.release(capture);
      await outcomes.handle(capture, result, { startedMs, signal: abort });
    } catch (error) {
      if (signal.aborted) return outcomes.release(capture);
      await outcomes.handleError(capture, error, abort);
    }
  }

  /** Failures while copies cannot be reached say nothing of captures or the server. */
  #canReachSpool(): boolean {
    const { spool, patience } = this.#options;
    return patience.try(() => {
      spool?.assertReachable();
      return true;
    }) ?? false;
  }

  #pathOf({ id, filepath, spooled }: QueuedCapture): string {
    const { spool } = this.#options;
    return spooled && spool ? spool.pathOf(id) : filepath;
  }

  /**
   * The facts that the bytes must meet to be sent, and what the server is told beside
   * them: with others it would be another capture.
   */
  #knownOf(capture: QueuedCapture): UploadOptions {
    const { openOriginal = openByPath, openWatched } = this.#options;
    const { spooled, watched, mtimeMs, hostname } = capture;
    return {
      ...versionOf(capture),
      mtimeMs: mtimeMs ?? undefined,
      hostname: hostname ?? undefined,
      open: spooled ? undefined : () => openOriginal(capture),
      original: spooled && watched && openWatched
        ? () => openWatched(capture)
        : undefined,
    };
  }
}

function isAgain({ snoozes }: QueuedCapture): boolean {
  return snoozes > 0;
}

function isLarge({ size }: QueuedCapture): boolean {
  return (size ?? 0) > LARGE_BYTES;
}
