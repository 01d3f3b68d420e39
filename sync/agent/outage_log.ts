import { format as formatDuration } from "@std/fmt/duration";
import type { Log } from "../host/log.ts";
import type { ServerStanding } from "./throttle.ts";

/** How often an outage is mentioned again, and how often at most a new cause of it, in milliseconds. */
const REMINDER_MS = 600_000;
const NEW_CAUSE_MS = 60_000;

/**
 * Tells of an outage when it begins, now and then while it lasts, when it has
 * another cause, and when it is over.
 */
export class OutageLog {
  readonly #log: Log;
  readonly #now: () => number;
  #outage: { sinceMs: number; saidMs: number } | undefined;
  /** The causes that were told since the last reminder. */
  readonly #told = new Set<string | null>();

  /** @param now A clock that never jumps, in milliseconds. */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /**
   * Takes note of how the server stands now.
   *
   * @param waiting Counts the captures that wait; asked only when something is said.
   */
  note({ state, reason }: ServerStanding, waiting: () => number): void {
    const now = this.#now();
    const isOut = state === "down" || state === "paused";
    const outage = this.#outage;
    if (isOut && !outage) {
      this.#outage = { sinceMs: now, saidMs: now };
      this.#told.clear();
      this.#told.add(reason);
      this.#log(
        "warn",
        `The server cannot be used, ${waiting()} captures wait: ${reason}`,
      );
    } else if (isOut && outage) {
      const silentMs = now - outage.saidMs;
      const isTold = this.#told.has(reason);
      if (silentMs < (isTold ? REMINDER_MS : NEW_CAUSE_MS)) return;
      outage.saidMs = now;
      if (isTold) this.#told.clear();
      this.#told.add(reason);
      this.#log(
        "warn",
        `The server cannot be used for ${
          this.#duration(outage.sinceMs)
        } now, ${waiting()} captures wait: ${reason}`,
      );
    } else if (outage) {
      this.#outage = undefined;
      this.#log(
        "info",
        `The server is usable again after ${
          this.#duration(outage.sinceMs)
        }, ${waiting()} captures wait to be delivered`,
      );
    }
  }

  #duration(sinceMs: number): string {
    const seconds = Math.round((this.#now() - sinceMs) / 1000);
    return formatDuration(Math.max(seconds, 1) * 1000, { ignoreZero: true });
  }
}
