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

const PAGE = 500;

/**
 * The captures of these statuses and turns, oldest first.
 *
 * @param options `sinceMs` leaves out what was handed over before, `page` is how
 * many rows are read at a time.
 */
export function* capturesByAge(
  sql: Statements,
  groups: [CaptureStatus, number][],
  options: { sinceMs?: number; page?: number } = {},
): Generator<QueuedCapture> {
  const streams = groups.map((group) => rowsByAge(sql, group, options))
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
  options: { sinceMs?: number; page?: number },
): Generator<Row> {
  const { sinceMs = -Infinity, page = PAGE } = options;
  let after: number | null = lowest(sinceMs);
  let rowid = String(-Number.MAX_SAFE_INTEGER);
  // A time that is no number, which only past all checks gets in, ends it.
  while (after !== null) {
    const from = [after, after, rowid];
    const rows = sql.listAfter.all(status, turn, ...from, page);
    yield* rows;
    if (rows.length < page) return;
    after = whole(rows.at(-1)!.created_at);
    rowid = String(rows.at(-1)!.rowid);
  }
}

function isOlder(one: Row, other: Row): boolean {
  return (Number(one.created_at) - Number(other.created_at) ||
    Number(one.rowid) - Number(other.rowid)) < 0;
}

/** What was delivered since a time, the latest first. */
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
const MAX_FOUND = 20;

/** A shorter text is no beginning of an id: an empty one would be that of all. */
const MIN_START = 4;

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

/** What was handed over as this file. */
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
