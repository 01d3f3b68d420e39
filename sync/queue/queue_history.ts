/** Goes through many captures or deliveries in order of time, some hundreds of rows at a time. */

import {
  type CaptureStatus,
  isoTime,
  type QueuedCapture,
  toCapture,
  whole,
} from "./capture_row.ts";
import type { Row } from "./sqlite.ts";
import type { Statements } from "./statements.ts";

/** A capture that was delivered. Times are ISO 8601 in UTC. */
export interface DeliveredEntry {
  id: string;
  filepath: string;
  /** In bytes; `null` if that is not known, as for all below. */
  size: number | null;
  /** Of its bytes, in hexadecimal. */
  sha256: string | null;
  /** What the server calls it. */
  serverId: string | null;
  deliveredAt: string;
  /** How many attempts were made, the last one included. */
  attempts: number;
  /** How long the last attempt took. */
  elapsedMs: number | null;
}

/** How many rows are read at a time. */
export const PAGE = 500;

/** The status and turn of captures: within each, an index has them by age. */
const GROUPS: readonly [CaptureStatus, number][] = [
  ["pending", 0],
  ["pending", 1],
  ["pending", 2],
  ["uploading", 0],
  ["uploading", 1],
  ["failed", 0],
  ["failed", 1],
];

/** When the oldest capture was handed over that is neither delivered nor failed. */
export function oldestMs(sql: Statements): number | null {
  const times = GROUPS.filter(([status]) => status !== "failed")
    .map((group) => whole(sql.oldest.get(...group)?.created_at))
    .filter((time) => time !== null);
  return times.length === 0 ? null : Math.min(...times);
}

/**
 * The captures of one status, or all, oldest first.
 *
 * @param options `sinceMs` leaves out captures that were handed over before.
 */
export function* capturesByAge(
  sql: Statements,
  options: { status?: CaptureStatus | undefined; sinceMs?: number },
): Generator<QueuedCapture> {
  const { status: wanted, sinceMs = -Infinity } = options;
  const streams = GROUPS.filter(([status]) => status === (wanted ?? status))
    .map((group) => rowsByAge(sql, group, sinceMs))
    .map((rows) => ({ rows, head: rows.next().value as Row | undefined }));
  while (true) {
    let first: typeof streams[number] | undefined;
    for (const stream of streams) {
      if (!stream.head) continue;
      if (!first || isOlder(stream.head, first.head!)) first = stream;
    }
    if (!first) return;
    yield toCapture(first.head!);
    first.head = first.rows.next().value ?? undefined;
  }
}

function* rowsByAge(
  sql: Statements,
  [status, turn]: [CaptureStatus, number],
  sinceMs: number,
): Generator<Row> {
  let after: number | null = lowest(sinceMs);
  let rowid = String(-Number.MAX_SAFE_INTEGER);
  // A row whose time is no number, which the table's checks forbid, ends it.
  while (after !== null) {
    const from = [after, after, rowid];
    const rows = sql.listAfter.all(status, turn, ...from, PAGE);
    yield* rows;
    if (rows.length < PAGE) return;
    after = whole(rows.at(-1)!.created_at);
    rowid = String(rows.at(-1)!.rowid);
  }
}

function isOlder(one: Row, other: Row): boolean {
  return (Number(one.created_at) - Number(other.created_at) ||
    Number(one.rowid) - Number(other.rowid)) < 0;
}

/** The deliveries since a time, the latest first. */
export function* deliveriesByTime(
  sql: Statements,
  sinceMs: number,
): Generator<DeliveredEntry> {
  let before: number | null = Number.MAX_SAFE_INTEGER;
  let rowid = String(Number.MAX_SAFE_INTEGER);
  while (before !== null) {
    const until = [before, before, rowid];
    const rows = sql.deliveredBefore.all(lowest(sinceMs), ...until, PAGE);
    yield* rows.map(toEntry);
    if (rows.length < PAGE) return;
    before = whole(rows.at(-1)!.delivered_at);
    rowid = String(rows.at(-1)!.rowid);
  }
}

/** Captures and deliveries that a text stands for. */
export interface Found {
  queued: QueuedCapture[];
  delivered: DeliveredEntry[];
}

/** At most so many of each kind are found. */
export const MAX_FOUND = 20;

/** A shorter text is no beginning of an id: an empty one would be that of all. */
export const MIN_START = 4;

/** What has this id, else what has ids that begin so. */
export function findById(sql: Statements, start: string): Found {
  const find = (last: string): Found => ({
    queued: sql.capturesById.all(start, last, MAX_FOUND).map(toCapture),
    delivered: sql.deliveredById.all(start, last, MAX_FOUND).map(toEntry),
  });
  const exact = find(start);
  const isFound = exact.queued.length + exact.delivered.length > 0;
  return isFound || start.length < MIN_START
    ? exact
    : find(`${start}\u{10ffff}`);
}

/** Captures and deliveries of this file. */
export function findByPath(sql: Statements, path: string): Found {
  return {
    queued: sql.capturesByPath.all(path, MAX_FOUND).map(toCapture),
    delivered: sql.deliveredByPath.all(path, MAX_FOUND).map(toEntry),
  };
}

/** Reads a delivery from its row. */
function toEntry(row: Row): DeliveredEntry {
  return {
    id: String(row.id),
    filepath: String(row.filepath),
    size: whole(row.size),
    sha256: row.sha256 as string | null,
    serverId: row.server_id as string | null,
    deliveredAt: isoTime(whole(row.delivered_at) ?? 0)!,
    attempts: whole(row.attempts_made) ?? 1,
    elapsedMs: whole(row.elapsed_ms),
  };
}

/** A time as SQLite compares it. */
function lowest(sinceMs: number): number {
  return Math.max(Math.ceil(sinceMs), -Number.MAX_SAFE_INTEGER);
}
