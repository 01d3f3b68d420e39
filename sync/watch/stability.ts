import type { FileIdentity } from "../host/opened_file.ts";
import { pathOf, type Place } from "./watched_root.ts";

/** How a capture counts as finished. */
export interface StabilityOptions {
  /** How long it must stay as it is, in milliseconds. */
  waitMs: number;
  /** Its files that are not known to be finished. */
  unproven: FileIdentity[];
  /**
   * When it is seen first, it need not stay if the files' own times say that
   * they have not changed for so long, in milliseconds.
   */
  trustMs: number;
}

interface Waiting {
  place: Place;
  look: string;
  /** Since when it looks like this, by a clock that never jumps. */
  since: number;
  /** When it is to be looked at again, by the same clock. */
  dueAt: number;
}

/** How many captures are waited for at a time. */
const MAX_WAITING = 10_000;

/** Waits for captures to stay unchanged for some time. */
export class Stability {
  /** By path. */
  readonly #waiting = new Map<string, Waiting>();
  #nextAt = Infinity;
  #hasMissed = false;

  /** Whether there were more than can be waited for, since this was asked last. */
  takeMissed(): boolean {
    const hasMissed = this.#hasMissed;
    this.#hasMissed = false;
    return hasMissed;
  }

  /** When the first has to be looked at again, as a time of `performance.now()`. */
  get nextAt(): number {
    return this.#waiting.size === 0 ? Infinity : this.#nextAt;
  }

  /** Those that have to be looked at again now. */
  due(): Place[] {
    const now = performance.now();
    const due: Place[] = [];
    if (now < this.nextAt) return due;
    this.#nextAt = Infinity;
    for (const waiting of this.#waiting.values()) {
      if (waiting.dueAt <= now) {
        due.push(waiting.place);
        waiting.dueAt = now + 1_000;
      }
      this.#nextAt = Math.min(this.#nextAt, waiting.dueAt);
    }
    return due;
  }

  /**
   * Whether a capture has been as it is for long enough. It is waited for until
   * it is forgotten, unless there is no room.
   *
   * @param files What it consists of, as it is now.
   */
  isStable(
    place: Place,
    files: FileIdentity[],
    { unproven, waitMs, trustMs }: StabilityOptions,
  ): boolean {
    const before = this.#waiting.get(pathOf(place));
    const look = files
      .map((file) => `${file.fileId} ${file.size} ${file.mtimeMs}`).join();
    const now = performance.now();
    if (before?.look === look) {
      this.#wait({ ...before, dueAt: before.since + waitMs });
      return now - before.since >= waitMs;
    }
    this.#wait({ place, look, since: now, dueAt: now + waitMs });
    const today = Date.now();
    // Their own times may say that they have been so for long.
    return !before &&
      unproven.every((file) => today - changedAt(file) >= trustMs);
  }

  /** Has a capture that is stable, but in use, looked at again. */
  again(place: Place, afterMs: number): void {
    const waiting = this.#waiting.get(pathOf(place));
    if (waiting) this.#wait({ ...waiting, dueAt: performance.now() + afterMs });
  }

  /** Stops waiting for a capture. */
  forget(place: Place): void {
    this.#waiting.delete(pathOf(place));
  }

  #wait(waiting: Waiting): void {
    const path = pathOf(waiting.place);
    if (this.#waiting.size >= MAX_WAITING && !this.#waiting.has(path)) {
      this.#hasMissed = true;
      return;
    }
    this.#waiting.set(path, waiting);
    this.#nextAt = Math.min(this.#nextAt, waiting.dueAt);
  }
}

/** When a file has changed last: one that keeps its time when it is copied or moved has a new `ctime`. */
function changedAt({ mtimeMs, ctimeMs }: FileIdentity): number {
  return Math.max(mtimeMs, ctimeMs);
}
