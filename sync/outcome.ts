/**
 * What one attempt at an upload means: the only place where that is decided.
 *
 * | kind        | for the capture               | for the server              |
 * | ----------- | ----------------------------- | --------------------------- |
 * | `delivered` | done, proven                  | usable                      |
 * | `retry`     | charged, later                | usable, if its health agrees |
 * | `reject`    | failed, never tried by itself | usable                      |
 * | `pause`     | not charged, stays as it was  | not usable now              |
 *
 * @module
 */

/** What becomes of the capture after an attempt. */
export type OutcomeKind = "delivered" | "retry" | "reject" | "pause";

/** The meaning of one answer or one error. */
export interface Outcome {
  kind: OutcomeKind;
  /** The server's id of a delivered capture; `null` if it named none. */
  captureId: string | null;
  /** What went wrong, for a person: bounded, without secrets. `null` if delivered. */
  error: string | null;
  /** A remark about a delivery that did succeed. */
  warning: string | null;
  /** Whether the next attempt, seconds from now, may do better. */
  transient: boolean;
  /** How long the server asked to be left alone, in milliseconds, at most an hour. */
  retryAfterMs: number | null;
}

/** An answer as far as it was read. */
export interface Answer {
  status: number;
  /** The start of the body, as text. */
  body: string;
  /** The value of `Retry-After`, if there was one. */
  retryAfter: string | null;
}

/** The longest that a server's `Retry-After` is honoured, in milliseconds: an hour. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/** The longest error text kept of a server's own words, in characters. */
const MAX_WORDS = 500;

/** The capture's file is gone, unreadable, or not a regular file: trying again cannot help. */
export class CaptureFileError extends Error {
  override name = "CaptureFileError";
}

/** The capture's file changed while it was sent: what left was not one whole capture. */
export class FileChangedError extends Error {
  override name = "FileChangedError";
}

/** These say something about the host or its settings, not about one capture. */
const PAUSING = new Set([401, 403, 404, 405, 407, 421]);

/** These ask to come back later: the whole destination waits. */
const LATER = new Set([408, 425, 429]);

/** Returns what an answer means. */
export function outcomeOfAnswer(answer: Answer): Outcome {
  const { status } = answer;
  const captureId = captureIdOf(answer.body);
  if (status >= 200 && status < 300) {
    const warning = captureId === null
      ? `HTTP ${status} without a usable "id" in its body: taken as delivered`
      : null;
    return { ...NOTHING, kind: "delivered", captureId, warning };
  }
  // The same key was stored before and the server says so.
  if (status === 409 && captureId !== null) {
    return { ...NOTHING, kind: "delivered", captureId };
  }
  const error = `HTTP ${status}${wordsOf(answer.body)}`;
  const retryAfterMs = parseRetryAfter(answer.retryAfter, Date.now());
  if (LATER.has(status)) {
    return { ...NOTHING, kind: "pause", error, retryAfterMs };
  }
  if (PAUSING.has(status) || status < 400) {
    return { ...NOTHING, kind: "pause", error };
  }
  if (status >= 500) {
    // A server that names a time speaks of itself, not of this capture.
    const kind = status === 503 && retryAfterMs !== null ? "pause" : "retry";
    return { ...NOTHING, kind, error, transient: true, retryAfterMs };
  }
  return { ...NOTHING, kind: "reject", error };
}

/** Returns what an error means that came instead of an answer. */
export function outcomeOfError(error: unknown): Outcome {
  const text = messageOf(error);
  if (error instanceof CaptureFileError) {
    return { ...NOTHING, kind: "reject", error: text };
  }
  if (error instanceof FileChangedError) {
    return { ...NOTHING, kind: "retry", error: text, transient: true };
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return { ...NOTHING, kind: "pause", error: text, transient: true };
  }
  return {
    ...NOTHING,
    kind: "pause",
    error: `Cannot reach the server: ${text}`,
    transient: true,
  };
}

/**
 * Returns a `Retry-After` value (seconds, or an HTTP date) in milliseconds
 * from `nowMs`: 0 for the past, {@linkcode MAX_RETRY_AFTER_MS} for anything
 * beyond it, `null` if there is none or it cannot be read.
 */
export function parseRetryAfter(
  value: string | null,
  nowMs: number,
): number | null {
  if (value === null || value.trim() === "") return null;
  const text = value.trim();
  const ms = /^[+-]?\d+(\.\d+)?$/.test(text)
    ? Number(text) * 1000
    : Date.parse(text) - nowMs;
  if (Number.isNaN(ms)) return null;
  return Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

const NOTHING = {
  captureId: null,
  error: null,
  warning: null,
  transient: false,
  retryAfterMs: null,
} as const;

function captureIdOf(body: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !("id" in value)) {
    return null;
  }
  const { id } = value;
  if (typeof id === "number" && Number.isFinite(id)) return String(id);
  return typeof id === "string" && id !== "" && id.length <= 1024 ? id : null;
}

/** The server's words on one line. */
function wordsOf(body: string): string {
  // deno-lint-ignore no-control-regex -- a terminal must not obey what a server sends
  const text = body.replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, " ").trim();
  return text === "" ? "" : `: ${text.slice(0, MAX_WORDS)}`;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error).slice(0, MAX_WORDS);
  // fetch keeps the reason in the cause, or behind a long chain in its message.
  const reason = error instanceof TypeError && error.cause instanceof Error
    ? error.cause
    : error;
  const text = reason.message.replace(
    /^error sending request for url \([^)]*\):? ?/,
    "",
  );
  return (text || reason.name).slice(0, MAX_WORDS);
}
