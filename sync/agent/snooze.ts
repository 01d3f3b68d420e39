/** The snooze of a capture that was not delivered, and the record of the attempt. */

import type { Completion } from "../queue/queue.ts";
import { MAX_BACKOFF_MS } from "../queue/transitions.ts";
import type { OutcomeKind, UploadResult } from "../upload/outcome.ts";

/** The part of the result of an attempt without a delivery that the queue keeps. */
export type FailedAttempt = Pick<
  UploadResult,
  "outcome" | "retryAfterMs" | "elapsedMs" | "status" | "error" | "sha256"
>;

/** How long a capture is snoozed the first time, in milliseconds. */
export const SNOOZE_MS = 60_000;
/** The first snooze of one whose connection failed: most often the next one does not. */
export const RECONNECT_MS = 1_000;

/** The outcomes that hold for every other capture as well. */
const OF_ALL: readonly OutcomeKind[] = ["unavailable", "busy", "refused"];

/** Whether an outcome says that no other capture would be taken now either. */
export function isOfAll({ outcome }: Pick<FailedAttempt, "outcome">): boolean {
  return OF_ALL.includes(outcome);
}

/** Whether an attempt ended before the server was asked. */
export function isLocalFailure(
  { outcome, status }: Pick<FailedAttempt, "outcome" | "status">,
): boolean {
  return outcome === "unreadable" || outcome === "exhausted" ||
    outcome === "rejected" && status === null;
}

/**
 * How long a capture waits for a reason of its own, in milliseconds: as long as the
 * server asks, else twice as long each time; an hour at most.
 */
export function snoozeMs(
  result: FailedAttempt | undefined,
  { snoozes = 0, firstMs = SNOOZE_MS }: { snoozes?: number; firstMs?: number } =
    {},
): number {
  // To send it again at once, as 0 asks, might be for ever.
  const isSoon = result?.outcome === "unavailable" ||
    result?.retryAfterMs === 0;
  const leastMs = isSoon ? Math.min(RECONNECT_MS, firstMs) : firstMs;
  const waitMs = result?.retryAfterMs || leastMs * 2 ** snoozes;
  return Math.min(waitMs, MAX_BACKOFF_MS);
}

/** Returns the completion of a capture that is sent again after so many milliseconds. */
export function snoozeOrRelease(
  id: string,
  { error, result, delayMs }: {
    error: string;
    result: FailedAttempt | undefined;
    delayMs: number;
  },
): Completion {
  const record = { id, error, ...recordOf(result) };
  return delayMs > 0
    ? { kind: "snooze", delayMs, ...record }
    : { kind: "release", ...record };
}

/** Returns the record of an attempt that has just ended. */
export function recordOf(result: FailedAttempt | undefined) {
  if (!result) return {};
  const { elapsedMs, status, error, sha256 } = result;
  const startedMs = Date.now() - elapsedMs;
  return { attempt: { startedMs, elapsedMs, status, error, sha256 } };
}
