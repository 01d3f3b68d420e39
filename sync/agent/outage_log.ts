import { format as formatDuration } from "@std/fmt/duration";
import type { ServerState } from "./throttle.ts";
import type { Log } from "../host/log.ts";

/** How often an outage is mentioned again, in milliseconds. */
const REMINDER_MS = 600_000;

/** Tells of an outage when it begins, now and then while it lasts, and when it is over. */
export class OutageLog {
  readonly #log: Log;
  readonly #now: () => number;
  #outage: { since: number; saidAt: number } | undefined;

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
  note(
    state: ServerState,
    reason: string | null,
    waiting: () => number,
  ): void {
    const now = this.#now();
    const out = state === "down" || state === "paused";
    if (out && !this.#outage) {
      this.#outage = { since: now, saidAt: now };
      this.#log(
        "warn",
        `The server cannot be used, ${waiting()} captures wait: ${reason}`,
      );
    } else if (out && now - this.#outage!.saidAt >= REMINDER_MS) {
      this.#outage!.saidAt = now;
      this.#log(
        "warn",
        `The server cannot be used for ${
          this.#duration(now)
        } now, ${waiting()} captures wait: ${reason}`,
      );
    } else if (!out && this.#outage) {
      this.#log(
        "info",
        `The server is usable again after ${
          this.#duration(now)
        }, ${waiting()} captures wait to be delivered`,
      );
      this.#outage = undefined;
    }
  }

  #duration(now: number): string {
    const seconds = Math.round((now - this.#outage!.since) / 1000) * 1000;
    return formatDuration(Math.max(seconds, 1000), { ignoreZero: true });
  }
}
