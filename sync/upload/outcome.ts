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

import { CaptureFileError, CaptureReadError } from "../capture/errors.ts";
import { reasonOf } from "./fetch_error.ts";

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
  /** Whether the whole request had left before it was over. */
  isWhole: boolean;
}

/** What a person must not be shown, by the name that takes its place. */
export type Secrets = Readonly<Record<string, string | undefined>>;

/** The longest that a server's `Retry-After` is honoured, in milliseconds: an hour. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/** The longest error text kept of a server's own words, in characters. */
const MAX_WORDS = 500;

/** The longest id that a server may give, in characters. */
const MAX_ID = 1024;

/** What a terminal would obey, or show somewhere else. */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** These say something about the host or its settings, not about one capture. */
const PAUSING = new Set([401, 403, 404, 405, 407, 421]);

/** These ask to come back later: the whole destination waits. */
const LATER = new Set([408, 425, 429]);

/** Returns what an answer means. */
export function outcomeOfAnswer(
  answer: Answer,
  secrets: Secrets = {},
): Outcome {
  const { status } = answer;
  const captureId = captureIdOf(answer.body);
  if (status >= 200 && status < 300) {
    // Whoever answers before it has the capture cannot have kept it.
    if (!answer.isWhole) {
      const error =
        `HTTP ${status} before the whole capture was sent: not taken as delivered`;
      return { ...NOTHING, kind: "retry", error, transient: true };
    }
    const warning = captureId === null
      ? `HTTP ${status} without a usable "id" in its body: taken as delivered`
      : null;
    return { ...NOTHING, kind: "delivered", captureId, warning };
  }
  // The same key was stored before and the server says so.
  if (status === 409 && captureId !== null) {
    return { ...NOTHING, kind: "delivered", captureId };
  }
  const words = bounded(answer.body, secrets);
  const error = `HTTP ${status}${words && `: ${words}`}`;
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
export function outcomeOfError(
  error: unknown,
  secrets: Secrets = {},
): Outcome {
  const text = messageOf(error, secrets);
  if (error instanceof CaptureFileError) {
    return { ...NOTHING, kind: "reject", error: text };
  }
  const kind = error instanceof CaptureReadError ? "retry" : "pause";
  return { ...NOTHING, kind, error: text, transient: true };
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

/** The id that a JSON answer carries, as the server wrote it. */
function captureIdOf(body: string): string | null {
  let found = idIn(body);
  // Parsed again only then: to look at every value takes ten times as long.
  if (typeof found === "number" && Math.abs(found) > Number.MAX_SAFE_INTEGER) {
    found = idIn(body, exactNumber);
  }
  const id = typeof found === "number" ? String(found) : found;
  const isUsable = typeof id === "string" && id !== "" &&
    id.length <= MAX_ID && id.search(UNPRINTABLE) < 0;
  return isUsable ? id : null;
}

/** What a JSON object's `id` is; `undefined` if there is none. */
function idIn(body: string, reviver?: typeof exactNumber): unknown {
  try {
    return JSON.parse(body, reviver)?.id;
  } catch {
    return undefined;
  }
}

/** Keeps the digits of a number too large for a double: another id would be recorded. */
function exactNumber(
  _key: string,
  value: unknown,
  context?: { source: string },
): unknown {
  return typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER
    ? context?.source
    : value;
}

function messageOf(error: unknown, secrets: Secrets): string {
  if (!(error instanceof Error)) return bounded(String(error), secrets);
  if (!(error instanceof TypeError)) {
    return bounded(error.message || error.name, secrets);
  }
  return bounded(`Cannot reach the server: ${reasonOf(error)}`, secrets);
}

/** The start of a text on one line, without secrets. */
function bounded(text: string, secrets: Secrets): string {
  let words = text;
  for (const [name, secret] of Object.entries(secrets)) {
    if (!secret) continue;
    // Bare, and as a JSON text quotes it.
    for (const form of [secret, JSON.stringify(secret).slice(1, -1)]) {
      words = words.replaceAll(form, `[${name}]`);
    }
  }
  const line = words.replaceAll(UNPRINTABLE, " ").replaceAll(/\s+/g, " ");
  return line.trim().slice(0, MAX_WORDS).toWellFormed();
}
