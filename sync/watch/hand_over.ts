import type { OnceLog } from "../host/log.ts";

/** How long to wait after a failure, in milliseconds; twice as long after each further one. */
const RETRY_MS = { first: 5_000, most: 60_000 };
const KEY = "hand over";

/** Whether finished files are taken over; says once that they cannot be. */
export class HandOver {
  readonly #log: OnceLog;
  #failures = 0;
  #obstacle: string | null = null;

  constructor(log: OnceLog) {
    this.#log = log;
  }

  /** Why files cannot be taken over, if that was so more than once. */
  get obstacle(): string | null {
    return this.#obstacle;
  }

  /** Everything that was finished is taken over. */
  succeeded(): void {
    this.#failures = 0;
    this.#obstacle = null;
    this.#log.forget(KEY);
  }

  /**
   * Returns after how many milliseconds to try again.
   *
   * @param isRescan Whether all folders were looked through: each such failure counts.
   */
  failed({ message }: Error, isRescan: boolean): number {
    const waitMs = RETRY_MS.first * 2 ** this.#failures;
    // Once may be nothing: a queue that was locked for a moment.
    if (isRescan && this.#failures++ > 0) this.#obstacle = message;
    this.#log.warn(
      KEY,
      `Cannot take over watched files, will try again: ${message}`,
    );
    return Math.min(waitMs, RETRY_MS.most);
  }
}
