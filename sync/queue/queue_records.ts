import { AgentRow } from "./agent_row.ts";
import { idOf, whole } from "./capture_row.ts";
import { copyRows } from "./repair/copy_rows.ts";
import type { Attempt } from "./transitions.ts";
import {
  fileKey,
  lookUp,
  type SeenFile,
  setNow,
  stateByContent,
  type WatchedState,
} from "./watched_files.ts";

/** The delivery of a watched file. */
export interface DeliveredCapture {
  id: string;
  /** Of its bytes, in hexadecimal; `null` if that is not known. */
  sha256: string | null;
  /** The same of its metadata. */
  metadataSha256: string | null;
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

/**
 * What a queue keeps besides its captures: their attempts, those that have left it,
 * and the files of watched folders that they were.
 */
export class QueueRecords extends AgentRow {
  /** Where the next `pruneHistory` goes on among the watched files. */
  #prunedTo = 0;

  /** How the last attempts for a capture went, the oldest first, also when it is delivered. */
  attempts(id: string): Attempt[] {
    return this.sql.attempts.all(id, id).map((row) => ({
      startedMs: whole(row.started_at) ?? 0,
      elapsedMs: whole(row.elapsed_ms) ?? 0,
      status: whole(row.http_status),
      error: row.error as string | null,
      sha256: row.sha256 as string | null,
    }));
  }

  /**
   * Records the hash of a capture that was not copied, before its first byte leaves:
   * from then on no other bytes are sent for it.
   *
   * @param sha256 Of its bytes, in hexadecimal.
   */
  setContent(id: string, sha256: string): void {
    this.file.write((sql) => {
      sql.setContent.run(sha256, id);
      sql.setWatchedContent.run(sha256, id);
    });
  }

  /** Whether a capture with this id was delivered. */
  wasDelivered(id: string): boolean {
    return this.sql.wasDelivered.get(id) !== undefined;
  }

  /**
   * Where each of these files of watched folders stands: `undefined` if it is new,
   * `"in doubt"` if only its content can tell, see
   * {@linkcode UploadQueue.knownContent}. Costs the same for any number of captures.
   */
  knownWatched(
    files: SeenFile[],
  ): (WatchedState | "in doubt" | undefined)[] {
    const known = files.map((file) => lookUp(this.sql, file));
    const changes = known.flatMap(({ change }) => change ? [change] : []);
    if (changes.length > 0) {
      this.file.write((sql) =>
        changes.forEach((change) => setNow(sql, change))
      );
    }
    return known.map(({ state }) => state);
  }

  /**
   * Where a file of a watched folder stands, by its content: `undefined` if neither
   * this file nor the last one of its name was taken over with it. If one was, the
   * file is not in doubt any more.
   *
   * @param sha256 Of its bytes, in hexadecimal.
   */
  knownContent(file: SeenFile, sha256: string): WatchedState | undefined {
    return this.file.write((sql) => stateByContent(sql, file, sha256));
  }

  /** The delivery of a watched file; `undefined` if it is not known as delivered. */
  deliveredFile(file: SeenFile): DeliveredCapture | undefined {
    const row = this.sql.deliveredWatched.get(fileKey(file));
    return row && {
      id: String(row.capture_id),
      sha256: row.sha256 as string | null,
      metadataSha256: row.metadata_sha256 as string | null,
    };
  }

  /** Says that the agent has removed or moved a delivered capture's file: what comes in its place is new. */
  markRemoved(id: string): void {
    this.file.write((sql) => sql.forgetWatchedCapture.run(id));
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
    return whole(this.sql.lastDelivered.get()?.delivered_at);
  }

  /** How many captures, of how many bytes, were delivered in the last so many milliseconds. */
  deliveredWithin(ms: number): { captures: number; bytes: number } {
    const row = this.sql.deliveredSince.get(this.now() - ms)!;
    return { captures: Number(row.n), bytes: Number(row.bytes) };
  }

  /** The failed captures by what their last attempts have met, less their paths, the most frequent first. */
  failedByReason(limit = 20): { reason: string; count: number }[] {
    return this.sql.failedByReason.all(limit).map((row) => ({
      reason: String(row.reason ?? "no reason given"),
      count: Number(row.n),
    }));
  }

  /** The samples of the last day, the oldest first. */
  samples(): Sample[] {
    return this.sql.samples.all().map((row) => ({
      timeMs: Number(row.at),
      waiting: Number(row.waiting),
      delivered: Number(row.delivered),
    }));
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
