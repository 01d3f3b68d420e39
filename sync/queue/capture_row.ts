import type { Row, SqlValue } from "./sqlite.ts";
import type { Metadata } from "../capture/metadata.ts";

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
  /** In bytes, when it was handed over. */
  size: number | null;
  /** The file's modification time when it was handed over, in milliseconds since 1970. */
  mtimeMs: number | null;
  /** Whether the agent has a copy of its own in the spool. */
  spooled: boolean;
  /** Whether a watched folder brought it. */
  watched: boolean;
}

/** How a capture is put into the queue. */
export interface EnqueueOptions {
  /** @default {a new UUID, greater than those before} */
  id?: string;
  /** In bytes. */
  size?: number;
  /** In milliseconds since 1970. */
  mtimeMs?: number;
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
  metadata: Metadata;
}

/** Reads a capture from its row. */
export function toCapture(row: Row): QueuedCapture {
  return {
    id: row.id as string,
    filepath: row.filepath as string,
    metadataJson: row.metadata_json as string,
    createdAt: isoTime(row.created_at)!,
    attempts: row.attempts as number,
    lastAttempt: isoTime(row.last_attempt),
    status: row.status as CaptureStatus,
    nextAttemptAt: isoTime(row.due_at),
    lastError: row.last_error as string | null,
    size: row.size as number | null,
    mtimeMs: row.mtime_ms as number | null,
    spooled: row.spooled === 1,
    watched: row.watched === 1,
  };
}

function isoTime(ms: SqlValue | undefined): string | null {
  if (typeof ms !== "number") return null;
  // Beyond what a Date can hold: written by something else; still shown.
  return Math.abs(ms) <= 8.64e15
    ? new Date(ms).toISOString()
    : new Date(0).toISOString();
}
