import type { FileIdentity } from "../host/opened_file.ts";
import type { Row, SqlValue } from "./sqlite.ts";
import type { Completion } from "./transitions.ts";

/** Where a queued capture stands. A delivered one has left the queue. */
export type CaptureStatus = "pending" | "uploading" | "failed";

/** A capture in the queue. Times are ISO 8601 in UTC. */
export interface QueuedCapture {
  /** A UUID, unless another program chose it; the idempotency key of every attempt. */
  id: string;
  /** Where the capture was handed over; its base name is what the server is told. */
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
  /** How often it was put off, uncharged. */
  snoozes: number;
  /** In bytes, when it was handed over. */
  size: number | null;
  /** The file's modification time when it was handed over, in milliseconds since 1970. */
  mtimeMs: number | null;
  /** Which file it was when it was handed over, as far as all of that is known. */
  identity: FileIdentity | null;
  /** Of the bytes that were handed over, in hexadecimal. */
  sha256: string | null;
  /** Whether the agent has a copy of its own in the spool. */
  spooled: boolean;
  /** Whether a watched folder brought it. */
  watched: boolean;
}

/** A file's identity, or only its size and time where the rest is not known. */
export type KnownIdentity = FileIdentity | { size: number; mtimeMs: number };

/** How a capture is put into the queue. */
export interface EnqueueOptions {
  /** @default {a new UUID, greater than those before} */
  id?: string;
  /** Which file it is. */
  identity?: KnownIdentity;
  /** Of its bytes, in hexadecimal. */
  sha256?: string | null;
  /** In milliseconds since 1970. @default {now} */
  createdAtMs?: number;
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
  /** What became of an attempt that was made before; of this capture, by its id. */
  tried?: Completion | undefined;
}

const ofType = (types: string, columns: string) =>
  columns.split(" ").map((name) => `typeof(${name}) IN (${types})`);
const texts = (columns: string) => ofType("'text', 'null'", columns);
const numbers = (columns: string) => ofType("'integer', 'null'", columns);

/** Whether a row holds only what its table allows: a program can write past the checks. */
export const IS_SOUND = {
  captures: [
    ...ofType("'text'", "id filepath metadata_json status"),
    ...texts("last_error file_id sha256"),
    ...numbers("created_at attempts first_charged_at last_charged_at snoozes"),
    ...numbers(
      "due_at last_attempt size mtime_ms ctime_ms spooled watched priority",
    ),
  ].join(" AND "),
  attempts: [
    "nth BETWEEN 0 AND 999999999",
    ...texts("capture_id error sha256"),
    ...numbers("nth started_at elapsed_ms http_status"),
  ].join(" AND "),
  watched_files: [
    ...texts("capture_id filepath file_id sha256 state"),
    ...numbers("size mtime_ms ctime_ms since"),
  ].join(" AND "),
};

/**
 * The columns that are read. Texts are read as bytes, so that a value that is no
 * text, or not UTF-8, is detected.
 */
export const CAPTURE_COLUMNS = `rowid,
  CAST(id AS BLOB) AS id, CAST(filepath AS BLOB) AS filepath,
  CAST(metadata_json AS BLOB) AS metadata_json,
  ${IS_SOUND.captures} AS is_sound,
  created_at, status, attempts, snoozes, due_at, last_attempt,
  CAST(last_error AS TEXT) AS last_error, CAST(file_id AS TEXT) AS file_id,
  size, mtime_ms, ctime_ms, CAST(sha256 AS TEXT) AS sha256, spooled, watched`;

/** Reads a capture from its row; one that cannot be used shows as `failed`, with the reason. */
export function toCapture(row: Row): QueuedCapture {
  const [id, filepath, metadataJson, fault] = textsOf(row);
  const [size, mtimeMs, ctimeMs] = [row.size, row.mtime_ms, row.ctime_ms]
    .map(whole) as [number | null, number | null, number | null];
  const fileId = row.file_id as string | null;
  const isKnown = fileId !== null && size !== null && mtimeMs !== null &&
    ctimeMs !== null;
  return {
    id,
    filepath,
    metadataJson,
    createdAt: isoTime(whole(row.created_at) ?? 0)!,
    attempts: whole(row.attempts) ?? 0,
    lastAttempt: isoTime(whole(row.last_attempt)),
    status: fault ? "failed" : row.status as CaptureStatus,
    nextAttemptAt: isoTime(whole(row.due_at)),
    lastError: fault ?? row.last_error as string | null,
    snoozes: whole(row.snoozes) ?? 0,
    size,
    mtimeMs,
    identity: isKnown ? { fileId, size, mtimeMs, ctimeMs } : null,
    sha256: row.sha256 as string | null,
    spooled: Number(row.spooled) === 1,
    watched: Number(row.watched) === 1,
  };
}

/** The id in a row in which it is text. */
export function idOf(row: Row): string {
  return String(row.id);
}

/** An identity as the values of `file_id`, `size`, `mtime_ms` and `ctime_ms`. */
export function identityValues(
  identity: KnownIdentity | null | undefined,
): SqlValue[] {
  if (!identity) return [null, null, null, null];
  const { size, mtimeMs } = identity;
  return "fileId" in identity
    ? [identity.fileId, size, mtimeMs, identity.ctimeMs]
    : [null, size, mtimeMs, null];
}

/** A whole number that JavaScript can hold; anything else is as good as unknown. */
export function whole(value: Row[string] | undefined): number | null {
  if (typeof value !== "number" && typeof value !== "bigint") return null;
  return Number.isSafeInteger(Number(value)) ? Number(value) : null;
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const LENIENT = new TextDecoder("utf-8", { ignoreBOM: true });

/** A row's id, path and metadata, and what is wrong with them, if anything. */
function textsOf(row: Row): [string, string, string, string | null] {
  const bytes = [row.id, row.filepath, row.metadata_json] as Uint8Array[];
  try {
    const texts = bytes.map((text) => STRICT.decode(text));
    if (!texts.some((text) => text.includes("\0"))) {
      const isSound = Number(row.is_sound) === 1;
      const fault = isSound ? null : UNREADABLE;
      return [...texts as [string, string, string], fault];
    }
  } catch {
    // Not UTF-8, or nothing.
  }
  const texts = bytes.map((text) =>
    text ? LENIENT.decode(text).replaceAll("\0", "\ufffd") : ""
  );
  return [...texts as [string, string, string], UNREADABLE];
}

const UNREADABLE =
  "Cannot read its row in the queue: expected id, path and metadata as text, times and sizes as whole numbers";

/** A time for people and programs, as far as it is known. */
export function isoTime(ms: number | null | undefined): string | null {
  if (ms === null || ms === undefined) return null;
  // Another program may have written a time that no Date can hold.
  return new Date(Math.abs(ms) <= 8.64e15 ? ms : 0).toISOString();
}
