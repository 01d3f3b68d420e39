import { type QueuedCapture, toCapture } from "./capture_row.ts";
import type { QueueFile } from "./queue_file.ts";
import type { Row } from "./sqlite.ts";
import { setAside } from "./odd_rows.ts";
import { MAX_BACKOFF_MS } from "./transitions.ts";

/** One place in this many is for captures that were snoozed, as long as some are due. */
const SNOOZED_SHARE = 8;

/** Which of two captures goes first, where nothing else decides. */
export type Order = "oldest" | "newest";

/**
 * Whose turn it is: of the captures that are due those with a priority come first,
 * then those that were never snoozed, each in order of age. Costs the same for any number of captures.
 */
export class ClaimOrder {
  readonly #file: QueueFile;
  readonly #now: () => number;
  readonly #order: Order;
  /** How many places were given since the last one for a snoozed capture. */
  #places = 0;

  constructor(
    file: QueueFile,
    { now, order }: { now: () => number; order: Order },
  ) {
    this.#file = file;
    this.#now = now;
    this.#order = order;
  }

  /**
   * Returns the next captures.
   *
   * @throws {RangeError} if `limit` is not a whole number from 0.
   */
  peek(limit: number): QueuedCapture[] {
    assertLimit(limit);
    this.#promoteDue();
    const captures = this.#next(limit, 0).map(toCapture);
    if (captures.every(isUsable)) return captures;
    return this.#file.write(() => this.#usable(limit, 0));
  }

  /** Returns the next captures, some snoozed ones among them, and marks them. */
  claim(limit: number): QueuedCapture[] {
    assertLimit(limit);
    this.#promoteDue();
    // Nothing is written while there is nothing to do.
    if (this.#next(Math.min(limit, 1), 0).length === 0) return [];
    this.#places += limit;
    const snoozed = Math.floor(this.#places / SNOOZED_SHARE);
    this.#places %= SNOOZED_SHARE;
    return this.#file.write(() => {
      const captures = this.#usable(limit, snoozed);
      const { markUploading } = this.#file.sql;
      for (const { id } of captures) markUploading.run(this.#now(), id);
      return captures;
    });
  }

  /**
   * Makes waiting captures ready whose time has come. A time further away than
   * the longest wait was written under another clock: it counts as come.
   */
  #promoteDue(): void {
    const { sql } = this.#file;
    const now = this.#now();
    const latest = now + MAX_BACKOFF_MS;
    if (!sql.anyDueUntil.get(now) && !sql.anyDueAfter.get(latest)) return;
    this.#file.write(() => {
      sql.promoteUntil.run(now);
      sql.promoteAfter.run(latest);
    });
  }

  /** The next rows: those with a priority, then the others; so many places are for snoozed ones. */
  #next(limit: number, snoozedPlaces: number): Row[] {
    const { sql } = this.#file;
    const [list, first] = this.#order === "oldest"
      ? [sql.list, sql.first]
      : [sql.listNewest, sql.firstNewest];
    const prior = first.all(limit);
    const places = limit - prior.length;
    if (places === 0) return prior;
    const taken = new Set(prior.map(({ rowid }) => String(rowid)));
    const others = (turn: number, count: number) =>
      list.all("pending", turn, count + prior.length)
        .filter(({ rowid }) => !taken.has(String(rowid))).slice(0, count);
    const fresh = others(0, places);
    const left = Math.max(
      Math.min(snoozedPlaces, places),
      places - fresh.length,
    );
    const snoozed = left > 0 ? others(1, left) : [];
    return [...prior, ...fresh.slice(0, places - snoozed.length), ...snoozed];
  }

  /** The next captures; rows that cannot be read are set aside on the way. */
  #usable(limit: number, snoozedPlaces: number): QueuedCapture[] {
    while (true) {
      const rows = this.#next(limit, snoozedPlaces);
      const captures = rows.map(toCapture);
      const usable = captures.filter(isUsable);
      if (usable.length === rows.length) return usable;
      for (const [n, capture] of captures.entries()) {
        if (isUsable(capture)) continue;
        setAside(this.#file.sql, rows[n]!, this.#now());
      }
      if (usable.length > 0) return usable;
    }
  }
}

/** Of rows that are pending only those that cannot be read show as something else. */
function isUsable({ status }: QueuedCapture): boolean {
  return status === "pending";
}

function assertLimit(limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 0) return;
  throw new RangeError(
    `Cannot return ${limit} captures: expected a whole number from 0`,
  );
}
