import type { FileIdentity, OpenedFile } from "../host/opened_file.ts";
import type { UnreadablePlace } from "./folder_state.ts";
import { pathOf, type Place } from "./place.ts";

/** The conditions for a capture to count as finished. */
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

/** A file that is waited for, held open: another may take its name meanwhile. */
export interface HeldFile {
  file: OpenedFile;
  /** The sidecar that was there when it came, unless it is an earlier version's. */
  sidecar: FileIdentity | undefined;
  metadataJson: string;
}

interface Waiting {
  place: Place;
  look: string;
  /** Since when it looks like this, by a clock that never jumps. */
  since: number;
  /** How its own file looks, and since when only its sidecar changes. */
  own?: { look: string; since: number };
  /** When it is to be looked at again, by the same clock. */
  dueAt: number;
  held?: HeldFile;
  /** The reason why it could not be read. */
  unreadable?: string | undefined;
}

/** How many captures are waited for at a time. */
const MAX_WAITING = 10_000;
/** How many of them are held open. */
const MAX_HELD = 100;

/** Waits for captures to stay unchanged for some time. */
export class Stability {
  /** By path. */
  readonly #waiting = new Map<string, Waiting>();
  #nextAt = Infinity;
  #hasMissed = false;
  #held = 0;

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

  /** Those that could not be read when they were looked at last. */
  *unreadable(): Generator<UnreadablePlace> {
    for (const { place, unreadable: reason } of this.#waiting.values()) {
      if (reason !== undefined) yield { place, reason, count: 1 };
    }
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
   * Whether a capture has been unchanged for long enough. It is waited for until it
   * is forgotten, unless there is no room.
   *
   * @param files Its files, as they are now, its own first.
   */
  isStable(
    place: Place,
    files: FileIdentity[],
    { unproven, waitMs, trustMs }: StabilityOptions,
  ): boolean {
    const before = this.#waiting.get(pathOf(place));
    const looks = files
      .map((file) => `${file.fileId} ${file.size} ${file.mtimeMs}`);
    const [ownLook = ""] = looks;
    const look = looks.join();
    const now = performance.now();
    delete before?.unreadable;
    const isQuiet = before?.look === look && now - before.since >= waitMs;
    let own = before?.own;
    if (isQuiet || own?.look !== ownLook) own = { look: ownLook, since: now };
    if (before?.look === look) {
      this.#wait({ ...before, own, dueAt: before.since + waitMs });
      return isQuiet;
    }
    const dueAt = now + waitMs;
    this.#wait({ ...before, place, look, own, since: now, dueAt });
    const today = Date.now();
    // Their own times may say that they have been so for long.
    return !before &&
      unproven.every((file) => today - changedAt(file) >= trustMs);
  }

  /** For how long only the sidecar of a capture has been changing, in milliseconds. */
  restlessMs(place: Place): number {
    const { own } = this.#waiting.get(pathOf(place)) ?? {};
    return own ? performance.now() - own.since : 0;
  }

  /** Has a capture that is stable, but in use, looked at again. */
  again(place: Place, afterMs: number): void {
    const waiting = this.#waiting.get(pathOf(place));
    if (waiting) this.#wait({ ...waiting, dueAt: performance.now() + afterMs });
  }

  /** Has a capture that is not whole, though stable, wait anew after some time. */
  later(place: Place, afterMs: number): void {
    this.forget(place);
    const since = performance.now();
    this.#wait({ place, look: "", since, dueAt: since + afterMs });
  }

  /** Has a capture that could not be read looked at again. */
  cannotRead(place: Place, unreadable: string, afterMs: number): void {
    const before = this.#waiting.get(pathOf(place));
    const now = performance.now();
    const dueAt = now + afterMs;
    this.#wait({ look: "", since: now, ...before, place, dueAt, unreadable });
  }

  /** The file that is held, if there is one. */
  heldAt(place: Place): HeldFile | undefined {
    return this.#waiting.get(pathOf(place))?.held;
  }

  /** Holds a capture that is waited for, unless there is no room; one that is held gets the metadata. */
  hold(
    place: Place,
    metadata: Omit<HeldFile, "file">,
    open: () => OpenedFile,
  ): void {
    const waiting = this.#waiting.get(pathOf(place));
    if (waiting?.held) return void Object.assign(waiting.held, metadata);
    if (!waiting || this.#held >= MAX_HELD) return;
    waiting.held = { ...metadata, file: open() };
    this.#held++;
  }

  /** Stops waiting for a capture that is held if this file has its name now, and returns it, to be closed. */
  takeReplaced(place: Place, { fileId }: FileIdentity): HeldFile | undefined {
    const held = this.#waiting.get(pathOf(place))?.held;
    if (!held || held.file.identity.fileId === fileId) return undefined;
    this.#waiting.delete(pathOf(place));
    this.#held--;
    return held;
  }

  /** Stops waiting for a capture. */
  forget(place: Place): void {
    const held = this.#waiting.get(pathOf(place))?.held;
    if (held) this.#held--;
    held?.file[Symbol.dispose]();
    this.#waiting.delete(pathOf(place));
  }

  /** Stops waiting for all. */
  [Symbol.dispose](): void {
    for (const { place } of [...this.#waiting.values()]) this.forget(place);
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
export function changedAt({ mtimeMs, ctimeMs }: FileIdentity): number {
  return Math.max(mtimeMs, ctimeMs);
}
