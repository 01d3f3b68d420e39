import { newCaptureId } from "../capture/capture_id.ts";
import {
  type CaptureRow,
  hasTexts,
  type QueuedCapture,
  toCapture,
  UNREADABLE,
} from "./capture_row.ts";
import type { QueueFile } from "./queue_file.ts";
import { QueueRecords } from "./queue_records.ts";
import { MAX_BACKOFF_MS } from "./transitions.ts";

/** One place in this many is for captures that were snoozed, as long as some are due. */
const SNOOZED_SHARE = 8;

/** The order of captures, where nothing else decides. */
export type Order = "oldest" | "newest";

/**
 * The order of claims: of the captures that are due those with a priority come first,
 * then those that were never snoozed, each in order of age.
 */
export class ClaimOrder extends QueueRecords {
  readonly #order: Order;
  /** How many places were given since the last one for a snoozed capture. */
  #places = 0;

  constructor(
    file: QueueFile,
    { now, order }: { now: () => number; order: Order },
  ) {
    super(file, now);
    this.#order = order;
  }

  /**
   * Returns the captures that are due, in the order of their turns. Costs the same for
   * any number.
   *
   * @param limit How many at most: a whole number from 0.
   * @throws {RangeError} if it is something else.
   */
  getPending(limit = 10): QueuedCapture[] {
    assertLimit(limit);
    this.#promoteDue();
    return this.#next(limit, 0).map(toCapture);
  }

  /**
   * Returns captures that are due, and marks them `uploading`: as `getPending()`, but
   * at least one place in eight is for those that were snoozed. Unreadable rows
   * become `failed`, with the reason.
   *
   * @param options `fromEnd` begins with those whose turn would come last, by age.
   */
  claim(
    limit: number,
    { fromEnd = false }: { fromEnd?: boolean } = {},
  ): QueuedCapture[] {
    assertLimit(limit);
    this.#promoteDue();
    // Nothing is written while there is nothing to do.
    if (this.#next(Math.min(limit, 1), 0).length === 0) return [];
    this.#places += limit;
    const snoozed = Math.floor(this.#places / SNOOZED_SHARE);
    this.#places %= SNOOZED_SHARE;
    return this.file.write(({ markUploading, failUnreadable }) => {
      while (true) {
        const rows = this.#next(limit, snoozed, fromEnd);
        const claimed = rows.filter((row) =>
          hasTexts(row) && markUploading.run(this.now(), row.id) > 0
        );
        // An id that does not find its own row is no text that could be read.
        const odd = rows.filter((row) => !claimed.includes(row));
        for (const { rowid } of odd) {
          failUnreadable.run(newCaptureId(), UNREADABLE, rowid);
        }
        // The next ones are tried.
        if (claimed.length > 0 || odd.length === 0) {
          return claimed.map(toCapture);
        }
      }
    });
  }

  /**
   * Makes waiting captures ready whose time has come. A time further away than
   * the longest wait was written under another clock: it counts as come.
   */
  #promoteDue(): void {
    const { sql } = this;
    const now = this.now();
    const latest = now + MAX_BACKOFF_MS;
    if (!sql.anyDueUntil.get(now) && !sql.anyDueAfter.get(latest)) return;
    this.file.write(() => {
      sql.promoteUntil.run(now);
      sql.promoteAfter.run(latest);
    });
  }

  /** Those with a priority, then the others; so many places are for snoozed ones. */
  #next(limit: number, snoozedPlaces: number, fromEnd = false): CaptureRow[] {
    const { sql } = this;
    const [ready, first] = (this.#order === "oldest") !== fromEnd
      ? [sql.ready, sql.first]
      : [sql.readyNewest, sql.firstNewest];
    const prior = first.all<CaptureRow>(limit);
    const places = limit - prior.length;
    const fresh = ready.all<CaptureRow>(0, places);
    const left = Math.max(
      Math.min(snoozedPlaces, places),
      places - fresh.length,
    );
    const snoozed = left > 0 ? ready.all<CaptureRow>(1, left) : [];
    const others = fresh.slice(0, places - snoozed.length);
    return [...prior, ...others, ...snoozed];
  }
}

function assertLimit(limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 0) return;
  throw new RangeError(
    `Cannot return ${limit} captures: expected a whole number from 0`,
  );
}
