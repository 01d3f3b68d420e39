/**
 * The outcome of one attempt at an upload: the only place where it is decided.
 *
 * | kind          | seen                                                    | again at once |
 * | ------------- | ------------------------------------------------------- | ------------- |
 * | `delivered`   | 2xx with a usable `id`; 409 with one                    |               |
 * | `unavailable` | no answer: DNS, refused, reset, TLS, no progress        | yes           |
 * |               | 2xx that proves nothing: this is not the capture server | no            |
 * | `server_error`| 5xx                                                     | yes           |
 * | `busy`        | 402, 408, 423, 425, 429, 499; 503 with `Retry-After`    | no            |
 * | `in_progress` | 409 without an `id`                                     | no            |
 * | `deferred`    | 413 with `Retry-After`: this capture is meant alone     | no            |
 * | `refused`     | 401, 403, 404, 405, 407, 421, 426, 440, 495, 496, 498,  | no            |
 * |               | 3xx: the host's settings                                |               |
 * | `rejected`    | another 4xx; the file is gone, not regular, or another  | no            |
 * | `unreadable`  | the file cannot be read now                             | no            |
 * | `exhausted`   | this process has too many files open                    | no            |
 *
 * @module
 */

import { CaptureFileError, CaptureReadError } from "../capture/errors.ts";
import { isOutOfDescriptors } from "../host/files.ts";
import type { FileIdentity } from "../host/opened_file.ts";
import { type Answer, proofIn, type SentCapture } from "./answer.ts";
import { describeFetchError } from "./fetch_error.ts";
import { redact, repeats, type Secrets } from "./redact.ts";
import { statusText } from "./http_status.ts";

/** The kinds of outcome of an attempt. */
export type OutcomeKind =
  | "delivered"
  | "unavailable"
  | "server_error"
  | "busy"
  | "in_progress"
  | "deferred"
  | "refused"
  | "rejected"
  | "unreadable"
  | "exhausted";

/** The meaning of one answer or one error. */
export interface Outcome {
  kind: OutcomeKind;
  /**
   * The server's id of a delivered capture, with `[token]` for any part of the token
   * and `[proxy password]` for any of a proxy's;
   * `null` if it named none.
   */
  captureId: string | null;
  /** The error, with the server's words: one line, bounded, without secrets. `null` if delivered. */
  error: string | null;
  /** The error without the server's own words, for the log; `null` if delivered. */
  reason: string | null;
  /** Whether the next attempt, seconds from now, may do better. */
  isTransient: boolean;
  /** How long the server asked to be left alone, in milliseconds, at most an hour. */
  retryAfterMs: number | null;
  /** The answer's HTTP status; `null` if there was none. */
  status: number | null;
}

/** The result of an upload, and of its last attempt. */
export interface UploadResult extends Omit<Outcome, "kind" | "isTransient"> {
  /** Whether the server has the capture. */
  success: boolean;
  /** How many attempts were made. */
  attempts: number;
  /** The outcome of the last attempt. */
  outcome: OutcomeKind;
  /** How long the last attempt took, in milliseconds. */
  elapsedMs: number;
  /** The SHA-256 of the bytes of this key, in hexadecimal; `null` if they were never read. */
  sha256: string | null;
  /** The file that the last attempt opened; `null` if it could not, or there was none. */
  sent: FileIdentity | null;
}

/** The proof of a delivery: the id that the server gives the capture, or any 2xx. */
export type ProofKind = "id" | "status";

/** The statuses that concern the host or its settings, not one capture. */
const REFUSED = [401, 403, 404, 405, 407, 421, 426, 440, 495, 496, 498];

/** Whether a status may mean that the token is not the right one. */
export function refusesToken(status: number | null): boolean {
  return status !== null && [401, 403, 440, 498].includes(status);
}

/** The statuses that ask to come back later. */
const BUSY = [402, 408, 423, 425, 429, 499];

/** The facts to judge an answer by. */
export interface AnswerContext {
  sent: SentCapture;
  token?: string | undefined;
  /** @default {"id"} */
  proof?: ProofKind | undefined;
}

/** Returns the outcome of an attempt that got an answer. */
export function outcomeOfAnswer(
  answer: Answer,
  context: AnswerContext,
): Outcome {
  const { status, retryAfterMs } = answer;
  const { sent, token } = context;
  if (status >= 200 && status < 300) return outcomeOfSuccess(answer, context);
  if (status === 409) {
    const found = proofIn(answer, sent);
    // The same key was stored before and the server says so.
    if ("captureId" in found) return delivered(status, found.captureId, token);
  }
  const error = describeAnswer(answer, { token, metadata: sent.metadata });
  const outcome = { ...FAILURE, status, error, reason: statusText(status) };
  if (status === 409) return { ...outcome, kind: "in_progress", retryAfterMs };
  if (status === 413 && retryAfterMs !== null) {
    return { ...outcome, kind: "deferred", retryAfterMs };
  }
  if (BUSY.includes(status) || (status === 503 && retryAfterMs !== null)) {
    return { ...outcome, kind: "busy", retryAfterMs };
  }
  if (REFUSED.includes(status) || status < 400) {
    return { ...outcome, kind: "refused" };
  }
  if (status < 500) return { ...outcome, kind: "rejected" };
  return { ...outcome, kind: "server_error", isTransient: true, retryAfterMs };
}

/** Returns the status with the server's words, for a person. */
export function describeAnswer(answer: Answer, secrets: Secrets): string {
  const { status, body, location } = answer;
  const text = location === undefined ? body : `it redirects to ${location}`;
  const words = redact(text, secrets);
  return `HTTP ${status}${words && `: ${words}`}`;
}

/** Only proof counts: a server that answers 200 to everything is not the capture server. */
function outcomeOfSuccess(
  answer: Answer,
  { sent, token, proof = "id" }: AnswerContext,
): Outcome {
  const { status } = answer;
  const outcome: Outcome = { ...FAILURE, status, kind: "unavailable" };
  // A server that answers before it has the whole capture cannot have kept it.
  if (answer.isEarly) {
    const error =
      `HTTP ${status} before the whole capture was sent: not taken as delivered`;
    return { ...outcome, error, reason: error };
  }
  const found = proofIn(answer, sent);
  if ("captureId" in found) return delivered(status, found.captureId, token);
  if (proof === "status" && "instead" in found) return delivered(status, null);
  const secrets = { token, metadata: sent.metadata };
  const what = "contrary" in found
    ? `HTTP ${status} ${found.contrary}`
    : `HTTP ${status} with ${
      redact(found.instead, secrets)
    } instead of a JSON object with an id`;
  const reason = "contrary" in found
    ? what
    : `${what}: this is not the capture server`;
  const words = found.isJson && redact(answer.body, secrets);
  return { ...outcome, error: words ? `${what}: ${words}` : reason, reason };
}

/** Returns the outcome of an attempt that ended in an error instead of an answer. */
export function outcomeOfError(
  error: unknown,
  { token }: { token?: string | undefined } = {},
): Outcome {
  const text = redact(describe(error), { token }) ||
    "It failed without a reason";
  const outcome = { ...FAILURE, error: text, reason: text };
  if (isOutOfDescriptors(error)) return { ...outcome, kind: "exhausted" };
  if (error instanceof CaptureFileError) {
    return { ...outcome, kind: "rejected" };
  }
  if (error instanceof CaptureReadError) {
    return { ...outcome, kind: "unreadable" };
  }
  return { ...outcome, kind: "unavailable", isTransient: true };
}

const FAILURE = {
  captureId: null,
  error: null,
  reason: null,
  isTransient: false,
  retryAfterMs: null,
  status: null,
} as const;

/** A server that gives the token for an id has the capture all the same. */
function delivered(
  status: number,
  id: string | null,
  token?: string,
): Outcome {
  const isToken = id !== null && repeats(id, { token });
  const captureId = isToken ? redact(id, { token }) : id;
  return { ...FAILURE, kind: "delivered", status, captureId };
}

function describe(error: unknown): string {
  // A function that gives the token may throw anything.
  if (typeof error === "string") return error;
  if (!(error instanceof Error)) return Deno.inspect(error);
  if (!(error instanceof TypeError)) return error.message || error.name;
  return describeFetchError(error);
}
