/**
 * Captures and pauses as several commands show them.
 *
 * @module
 */

import { parseExactly } from "../capture/metadata.ts";
import { counted } from "../host/counted.ts";
import { tryTo } from "../host/try_to.ts";
import type { Pause, QueuedCapture } from "../queue/queue.ts";
import { span } from "./table.ts";

/** A capture as scripts see it: no name here may change. */
export function captureForJson(capture: QueuedCapture) {
  const { id, filepath, createdAt, attempts, lastAttempt } = capture;
  const { nextAttemptAt, status, lastError, size } = capture;
  return {
    id,
    filepath,
    metadata: readable(capture.metadataJson),
    createdAt,
    attempts,
    lastAttempt,
    nextAttemptAt,
    status,
    lastError,
    size,
  };
}

/** An older program may have written anything. */
function readable(json: string): unknown {
  return tryTo(() => parseExactly(json)) ?? null;
}

/** The state of a capture, and the time of the next attempt. */
export function describeStatus(capture: QueuedCapture): string {
  const { status, attempts, nextAttemptAt } = capture;
  const waitMs = nextAttemptAt === null
    ? 0
    : Date.parse(nextAttemptAt) - Date.now();
  const next = status !== "pending"
    ? ""
    : waitMs > 0
    ? `, next try in ${span(waitMs)}`
    : ", due now";
  const tried = attempts > 0 ? ` (${counted(attempts, "attempt")})` : "";
  return `${status}${next}${tried}`;
}

/** Returns a line on the pause: until when, and how to end it. */
export function describePause({ until }: Pause): string {
  const end = until === null ? "" : ` until ${new Date(until).toISOString()}`;
  return `Deliveries are paused${end}: "jarvis-agent resume" lets them go on`;
}
