/** The transitions of a claimed capture: the rules, and the rows that they change. */

import {
  type CaptureStatus,
  type KnownIdentity,
  type NewCapture,
  toColumns,
} from "./capture_row.ts";
import { keyOfName, versionOf, versionValues } from "./file_version.ts";
import type { Statements } from "./statements.ts";

/** The result of one attempt to deliver a capture. */
export interface Attempt {
  /** In milliseconds since 1970. */
  startedMs: number;
  elapsedMs: number;
  /** The HTTP status; `null` if there was no answer. */
  status: number | null;
  error: string | null;
  /** The SHA-256 of the bytes sent, in hexadecimal. */
  sha256?: string | null;
}

/** The outcome for one claimed capture. */
export type Completion =
  & {
    id: string;
    /** Is kept, with the last ones before it. */
    attempt?: Attempt;
    /**
     * The path where its file was missed: if it is known elsewhere by now, the
     * capture is due now, uncharged.
     */
    missedAt?: string | undefined;
  }
  & (
    | {
      kind: "delivered";
      /** The server's id of it. */
      captureId?: string | null;
      /** The SHA-256 of the bytes sent, in hexadecimal. */
      sha256?: string | null;
      /** The identity of the file that was sent, if it was not the spool's copy. */
      identity?: KnownIdentity | null;
      /** The SHA-256 of the metadata of a watched file, in hexadecimal. */
      metadataSha256?: string | null;
    }
    /**
     * The attempt counts, and the capture waits; with the tenth it is `failed`, after a
     * day at least, or at once.
     */
    | { kind: "charge" | "charge at once"; error: string }
    /** Uncharged, due again after `delayMs`, an hour at most. */
    | { kind: "snooze"; error: string; delayMs: number }
    /** Uncharged, due now. */
    | { kind: "release"; error?: string }
    /** A snoozed one is due now. */
    | { kind: "due" }
    /** `failed`: no further attempt would change anything. */
    | { kind: "discard"; error: string }
  );

/** A charged capture waits this long the first time, twice as long each further time. */
const BACKOFF_MS = 60_000;
/** The longest that a capture waits. */
export const MAX_BACKOFF_MS = 3_600_000;
/** With so many charged attempts, over so long a time, a capture is `failed`. */
const MAX_ATTEMPTS = 10;
const MIN_SPAN_MS = 86_400_000;
/** The number of attempts that are kept of each capture. */
const KEPT_ATTEMPTS = 20;

/** What decides the transition of a capture: times are milliseconds since 1970. */
interface CaptureState {
  filepath: string;
  status: CaptureStatus;
  attempts: number;
  firstChargedMs: number | null;
  lastChargedMs: number | null;
  lastAttemptMs: number | null;
  spooled: 0 | 1;
  watched: 0 | 1;
}

interface Now {
  state: CaptureState;
  nowMs: number;
}

/** Puts one capture into the queue, unless its id is known. */
export function insertOne(
  sql: Statements,
  capture: NewCapture & { id: string },
  nowMs: number,
): void {
  const { id, filepath, metadataJson, createdAtMs = nowMs, identity } = capture;
  const { sha256 = null, spooled = false, watched = false, tried } = capture;
  const { hostname = Deno.hostname() } = capture;
  const { fileId, size, mtimeMs, ctimeMs } = toColumns(identity);
  const isNew = sql.insert.run(
    ...[id, filepath, metadataJson, createdAtMs],
    ...[fileId, size, mtimeMs, ctimeMs],
    ...[sha256, hostname, Number(spooled), Number(watched), id],
  ) > 0;
  if (!isNew) return;
  if (watched) {
    const version = versionOf(filepath, identity);
    // If another name of this version has the file's row, each is known by itself.
    if (sql.isOtherName.get(version.key, filepath, size, mtimeMs)) {
      version.key = keyOfName(version.key, filepath);
    }
    const values = versionValues(version);
    sql.addWatched.run(id, ...values, sha256, "queued", nowMs);
    sql.takeWatchedName.run(filepath, version.key);
  }
  if (!tried) return;
  // It was sent before it was queued.
  const { attempt } = tried;
  sql.markUploading.run(attempt ? Math.round(attempt.startedMs) : null, id);
  completeOne(sql, tried, nowMs);
}

/** Records one completion; returns whether there was something to complete. */
export function completeOne(
  sql: Statements,
  completion: Completion,
  nowMs: number,
): boolean {
  const { id, attempt } = completion;
  const state = sql.captureState.get<CaptureState>(id);
  if (!state) return false;
  const now = { state, nowMs };
  if (completion.kind === "delivered") return deliver(sql, completion, now);
  if (attempt) addAttempt(sql, id, attempt);
  const { missedAt = state.filepath } = completion;
  if (missedAt !== state.filepath) return sql.release.run(null, id) > 0;
  switch (completion.kind) {
    case "charge":
    case "charge at once":
    case "discard":
      return charge(sql, completion, now);
    case "snooze": {
      const delayMs = Math.min(Math.max(completion.delayMs, 0), MAX_BACKOFF_MS);
      const dueAt = Math.round(nowMs + delayMs);
      return sql.snooze.run(completion.error, dueAt, id) > 0;
    }
    case "release":
      return sql.release.run(completion.error ?? null, id) > 0;
    case "due":
      return sql.makeDue.run(id) > 0;
  }
}

/**
 * An attempt that began before the capture was due by itself, because a person asked
 * for it, is not counted. And `failed` takes a day: no outage may use the attempts up.
 */
function charge(
  sql: Statements,
  { id, kind, error }: { id: string; kind: string; error: string },
  { state, nowMs }: Now,
): boolean {
  const { status, attempts: before, lastChargedMs: lastMs } = state;
  if (status === "failed") return false;
  const wasMarked = status === "uploading";
  const begunMs = (wasMarked ? state.lastAttemptMs : null) ?? nowMs;
  if (kind === "charge" && lastMs !== null && before > 0) {
    const dueAtMs = lastMs + backoffMs(before);
    // A charge that is still to come was written under another clock.
    if (lastMs <= begunMs && begunMs < dueAtMs) {
      return sql.skipCharge.run(dueAtMs, error, begunMs, id) > 0;
    }
  }
  const attempts = before + 1;
  const firstMs = Math.min(state.firstChargedMs ?? nowMs, nowMs);
  const isOver = kind === "discard" || attempts >= MAX_ATTEMPTS &&
      (kind === "charge at once" || nowMs - firstMs >= MIN_SPAN_MS);
  const dueAtMs = isOver ? null : nowMs + backoffMs(attempts);
  const after = [isOver ? "failed" : "pending", dueAtMs, attempts];
  return sql.charge.run(...after, firstMs, nowMs, error, begunMs, id) > 0;
}

function backoffMs(attempts: number): number {
  return Math.min(BACKOFF_MS * 2 ** (attempts - 1), MAX_BACKOFF_MS);
}

function deliver(
  sql: Statements,
  completion: Completion & { kind: "delivered" },
  { state, nowMs }: Now,
): boolean {
  const { id, captureId = null, sha256 = null, attempt } = completion;
  // The spool's copy is another file than the one that was handed over.
  const identity = state.spooled ? null : completion.identity;
  const { size, mtimeMs, ctimeMs } = toColumns(identity);
  const before = Number(sql.attemptsMade.get(id)?.n ?? state.attempts);
  const elapsedMs = attempt ? Math.round(attempt.elapsedMs) : null;
  const how = [before + 1, elapsedMs, attempt?.status ?? null];
  const sentSize = completion.identity?.size ?? null;
  sql.deliver.run(sentSize, sha256, captureId, nowMs, ...how, id);
  if (state.watched) {
    const { metadataSha256 = null } = completion;
    const proof = [size, mtimeMs, ctimeMs, sha256, metadataSha256];
    sql.setWatchedDelivered.run(nowMs, ...proof, id);
  }
  return sql.remove.run(id) > 0;
}

function addAttempt(sql: Statements, id: string, attempt: Attempt): void {
  const { startedMs, elapsedMs, status, error, sha256 = null } = attempt;
  const times = [startedMs, elapsedMs].map(Math.round);
  const added = sql.addAttempt.get(id, ...times, status, error, sha256, id)!;
  const nth = Number(added.nth);
  if (nth > KEPT_ATTEMPTS) sql.forgetAttempts.run(id, nth - KEPT_ATTEMPTS);
}
