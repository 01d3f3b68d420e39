import {
  type CaptureRow,
  idOf,
  isoTime,
  type QueuedCapture,
  toCapture,
} from "./capture_row.ts";
import { lowest, PAGE } from "./queue_reader.ts";
import { copyRows } from "./copy_rows.ts";
import type { Row } from "./sqlite.ts";
import type { Attempt } from "./transitions.ts";
import { WatchedFiles } from "./watched_files.ts";

/** A capture that was delivered. Times are ISO 8601 in UTC. */
export interface DeliveredEntry {
  id: string;
  filepath: string;
  /** In bytes; `null` if that is not known, as for all below. */
  size: number | null;
  /** The SHA-256 of its bytes, in hexadecimal. */
  sha256: string | null;
  /** The server's id of it. */
  serverId: string | null;
  deliveredAt: string;
  /** How many attempts were made, the last one included. */
  attempts: number;
  /** How long the last attempt took. */
  elapsedMs: number | null;
}

/** Captures and deliveries that a text stands for. */
export interface Matches {
  queued: QueuedCapture[];
  delivered: DeliveredEntry[];
}

/** One point of the last day. */
export interface Sample {
  /** In milliseconds since 1970. */
  timeMs: number;
  /** How many captures waited then. */
  waiting: number;
  /** How many were delivered since the sample before. */
  delivered: number;
}

const DAY_MS = 86_400_000;
/** The most reasons that are told apart. */
const MAX_REASONS = 20;
/** The most of each kind that are found. */
export const MAX_FOUND = 20;
/** A shorter text is no beginning of an id: an empty one would be that of all. */
export const MIN_START = 4;

/** The records of a queue besides its captures: attempts, captures that have left it, and samples. */
export class QueueRecords extends WatchedFiles {
  /** The place among the watched files where the next `pruneHistory` goes on. */
  #prunedTo = 0;

  /** The deliveries that are remembered, the latest first; some hundreds are in memory at a time. */
  *deliveries(sinceMs = -Infinity): Generator<DeliveredEntry> {
    let [before, rowid] = [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
    const since = lowest(sinceMs);
    while (true) {
      const rows = this.sql.deliveredBefore.all(since, before, rowid, PAGE);
      yield* rows.map(toEntry);
      if (rows.length < PAGE) return;
      const last = rows.at(-1)!;
      [before, rowid] = [Number(last.deliveredAtMs), Number(last.rowid)];
    }
  }

  /** Finds captures by an id, or its beginning of at least four characters; 20 of each kind at most. */
  findById(start: string): Matches {
    const { capturesById, deliveredById } = this.sql;
    const find = (last: string): Matches => ({
      queued: capturesById.all<CaptureRow>(start, last, MAX_FOUND)
        .map(toCapture),
      delivered: deliveredById.all(start, last, MAX_FOUND).map(toEntry),
    });
    const exact = find(start);
    const isFound = exact.queued.length + exact.delivered.length > 0;
    return isFound || start.length < MIN_START
      ? exact
      : find(`${start}\u{10ffff}`);
  }

  /** Captures of this file, some of them if there are many. Reads all of the queue. */
  findByPath(path: string): Matches {
    const { capturesByPath, deliveredByPath } = this.sql;
    return {
      queued: capturesByPath.all<CaptureRow>(path, MAX_FOUND).map(toCapture),
      delivered: deliveredByPath.all(path, MAX_FOUND).map(toEntry),
    };
  }

  /** The last attempts for a capture, the oldest first, also when it is delivered. */
  attempts(id: string): Attempt[] {
    return this.sql.attempts.all<Attempt>(id, id);
  }

  /** Whether a capture with this id was delivered. */
  wasDelivered(id: string): boolean {
    return this.sql.wasDelivered.get(id) !== undefined;
  }

  /**
   * Forgets deliveries that are older, and files of watched folders that were known
   * before and are not there any more.
   *
   * @param isStillThere Whether there is a file of this path.
   * @param limit How many of each are looked at, at most; the next call goes on
   * from there, and begins anew at the end.
   * @returns How many were forgotten; `getStats()` still counts them.
   */
  pruneHistory(
    olderThanMs: number,
    isStillThere: (path: string) => boolean,
    limit = 1000,
  ): number {
    const before = this.now() - olderThanMs;
    const files = this.sql.nextWatched.all(before, this.#prunedTo, limit);
    this.#prunedTo = files.length < limit ? 0 : Number(files.at(-1)!.n);
    const gone = files.filter(({ is_old, filepath }) =>
      is_old === 1 && !isStillThere(String(filepath))
    );
    const deliveries = this.sql.oldDelivered.all(before, limit).map(idOf);
    if (gone.length + deliveries.length === 0) return 0;
    this.file.write((sql) => {
      for (const { n } of gone) sql.forgetWatched.run(Number(n));
      for (const id of deliveries) {
        sql.forgetDelivered.run(id);
        sql.forgetAttempts.run(id, Number.MAX_SAFE_INTEGER);
      }
    });
    return gone.length + deliveries.length;
  }

  /** When a capture was delivered last, in milliseconds since 1970, as far as it is remembered. */
  lastDeliveryMs(): number | null {
    return this.sql.lastDelivered.get()!.time as number | null;
  }

  /** How many captures, of how many bytes, were delivered in the last so many milliseconds. */
  deliveredWithin(ms: number): { captures: number; bytes: number } {
    return this.sql.deliveredSince.get(this.now() - ms)!;
  }

  /** The failed captures by their last errors, without the paths, the most frequent first: 20 errors at most. */
  failedByReason(): { reason: string; count: number }[] {
    return this.sql.failedByReason.all(MAX_REASONS);
  }

  /** The samples of the last day, the oldest first. */
  samples(): Sample[] {
    return this.sql.samples.all<Sample>();
  }

  /** Adds a sample, and forgets those that are older than a day. */
  addSample({ timeMs, waiting, delivered }: Sample): void {
    this.file.write((sql) => {
      sql.addSample.run(timeMs, waiting, delivered);
      // A clock that was set back leaves none in the future.
      sql.forgetSamples.run(timeMs - DAY_MS, timeMs);
    });
  }

  /**
   * Takes over the captures and the history of another queue, and returns how many
   * captures that were: of one whose file was removed, which no other process can read.
   */
  takeOver(lost: QueueRecords): number {
    return copyRows(lost.file.database, this.file.database).captures;
  }
}

function toEntry(row: Row): DeliveredEntry {
  const { rowid: _, deliveredAtMs, ...entry } = row;
  const deliveredAt = isoTime(Number(deliveredAtMs))!;
  return { ...entry, deliveredAt } as DeliveredEntry;
}
