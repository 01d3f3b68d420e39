import type { CaptureStatus } from "./capture_row.ts";
import type { Statements } from "./statements.ts";

/** What is counted besides captures by status. */
type Counted = CaptureStatus | "delivered" | "spooled bytes";

/**
 * What a transaction changes in the numbers that the queue keeps of its rows,
 * to be recorded once: see `schema.ts` for what is counted here.
 */
export class Tally {
  readonly #changes = new Map<Counted, number>();

  /** @param n How many there are more; less if it is negative. */
  add(counted: Counted, n: number): void {
    this.#changes.set(counted, (this.#changes.get(counted) ?? 0) + n);
  }

  /** Records the changes; belongs into the same transaction. */
  record(sql: Statements): void {
    for (const [counted, n] of this.#changes) {
      if (n !== 0) sql.count.run(n, counted);
    }
  }
}
