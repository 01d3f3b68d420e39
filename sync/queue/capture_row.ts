import type { FileIdentity } from "../host/opened_file.ts";
import type { Row } from "./sqlite.ts";
import type { Completion } from "./transitions.ts";

/** The state of a queued capture. A delivered one has left the queue. */
export type CaptureStatus = "pending" | "uploading" | "failed";

/** A capture in the queue. Times are ISO 8601 in UTC. */
export interface QueuedCapture {
  /** A UUID, unless another program chose it; the idempotency key of every attempt. */
  id: string;
  /** The path of its file; the server is told the base name that it was handed over by. */
  filepath: string;
  /** A JSON object as text. */
  metadataJson: string;
  createdAt: string;
  /** How many attempts were charged to it. */
  attempts: number;
  /** When the last attempt began, charged or not; `null` before the first. */
  lastAttempt: string | null;
  status: CaptureStatus;
  /** When it is due again; `null` if it is ready, or failed. */
  nextAttemptAt: string | null;
  lastError: string | null;
  /** The number of its snoozes, since a person last retried it. */
  snoozes: number;
  /** In bytes, when it was handed over. */
  size: number | null;
  /** The file's modification time when it was handed over, in milliseconds since 1970. */
  mtimeMs: number | null;
  /** The identity of its file when it was handed over; `null` unless known in full. */
  identity: FileIdentity | null;
  /** The SHA-256 of the bytes handed over, in hexadecimal. */
  sha256: string | null;
  /** The name of the host that took it over; `null` if that is not known. */
  hostname: string | null;
  /** The path at which it was handed over, if its file was renamed since. */
  firstPath: string | null;
  /** Whether the agent has a copy of its own in the spool. */
  spooled: boolean;
  /** Whether a watched folder brought it. */
  watched: boolean;
}

/** A file's identity, or only its size and time where the rest is not known. */
export type KnownIdentity = FileIdentity | { size: number; mtimeMs: number };

/** Options for {@linkcode UploadQueue.enqueue}. */
export interface EnqueueOptions {
  /** @default {a new UUID, greater than those before} */
  id?: string;
  /** The identity of its file, as far as it is known. */
  identity?: KnownIdentity;
  /** The SHA-256 of its bytes, in hexadecimal. */
  sha256?: string | null;
  /** In milliseconds since 1970. @default {now} */
  createdAtMs?: number;
  /** The name of the host that took it over. @default {that of this one} */
  hostname?: string | undefined;
  /** @default {false} */
  spooled?: boolean;
  /** @default {false} */
  watched?: boolean;
}

/** One capture for the queue. */
export interface NewCapture extends EnqueueOptions {
  filepath: string;
  /** A JSON object as text; it is carried, not looked at. */
  metadataJson: string;
  /** The outcome of an earlier attempt at this capture, under its id. */
  tried?: Completion | undefined;
}

/** A row of `captures`, with times in milliseconds since 1970. */
export interface CaptureRow extends
  Omit<
    QueuedCapture,
    | "createdAt"
    | "lastAttempt"
    | "nextAttemptAt"
    | "identity"
    | "spooled"
    | "watched"
  > {
  rowid: number;
  createdAtMs: number;
  lastAttemptMs: number | null;
  dueAtMs: number | null;
  fileId: string | null;
  ctimeMs: number | null;
  spooled: 0 | 1;
  watched: 0 | 1;
}

/** The columns of a {@linkcode CaptureRow}. */
export const CAPTURE_COLUMNS = `rowid, id, filepath, status, attempts, snoozes,
  metadata_json AS metadataJson, created_at AS createdAtMs,
  last_attempt AS lastAttemptMs, due_at AS dueAtMs, last_error AS lastError,
  file_id AS fileId, size, mtime_ms AS mtimeMs, ctime_ms AS ctimeMs, sha256,
  hostname, first_path AS firstPath, spooled, watched`;

/** The error of a row of another program that was failed as unreadable. */
export const UNREADABLE =
  "Cannot read its row in the queue: expected id, path and metadata as text, times and sizes as whole numbers";

/** Whether a row has the texts that a capture needs: no schema keeps all programs from writing others. */
export function hasTexts({ id, filepath, metadataJson }: CaptureRow): boolean {
  return [id, filepath, metadataJson].every((text) => typeof text === "string");
}

/** Reads a capture from its row; unreadable values are left empty. */
export function toCapture(row: CaptureRow): QueuedCapture {
  const { rowid: _, createdAtMs, lastAttemptMs, dueAtMs, ...rest } = row;
  const { fileId, ctimeMs, ...capture } = rest;
  const { size, mtimeMs } = capture;
  const isKnown = fileId !== null && size !== null && mtimeMs !== null &&
    ctimeMs !== null;
  return {
    ...capture,
    ...(!hasTexts(row) && { id: "", filepath: "", metadataJson: "{}" }),
    createdAt: isoTime(createdAtMs ?? 0)!,
    lastAttempt: isoTime(lastAttemptMs),
    nextAttemptAt: isoTime(dueAtMs),
    identity: isKnown ? { fileId, size, mtimeMs, ctimeMs } : null,
    spooled: capture.spooled === 1,
    watched: capture.watched === 1,
  };
}

export function idOf(row: Row): string {
  return String(row.id);
}

/** The columns of an identity: `null` each that is not known. */
export function toColumns(identity: KnownIdentity | null | undefined): {
  fileId: string | null;
  size: number | null;
  mtimeMs: number | null;
  ctimeMs: number | null;
} {
  const { size = null, mtimeMs = null } = identity ?? {};
  return identity && "fileId" in identity
    ? { fileId: identity.fileId, size, mtimeMs, ctimeMs: identity.ctimeMs }
    : { fileId: null, size, mtimeMs, ctimeMs: null };
}

/** A time for people and programs, as far as it is known. */
export function isoTime(ms: number | null | undefined): string | null {
  if (ms === null || ms === undefined) return null;
  // Another program may have written a time that no Date can hold.
  return new Date(Math.abs(ms) <= 8.64e15 ? ms : 0).toISOString();
}
