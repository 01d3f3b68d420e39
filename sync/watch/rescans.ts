import type { Agenda } from "./agenda.ts";
import type { FolderTree, WalkOptions } from "./folder_tree.ts";
import { RescanSchedule } from "./rescan_schedule.ts";
import type { WatchedRoot } from "./watched_root.ts";
import type { FolderWatcherOptions } from "./watcher_options.ts";

/** Every so many rescans all is looked at, even folders that seem unchanged. */
const FULL_RESCAN = 12;

/** Options for {@linkcode Rescans}. */
export interface RescansOptions
  extends Pick<FolderWatcherOptions, "rescanMs" | "pollMs"> {
  roots: readonly WatchedRoot[];
  tree: FolderTree;
  agenda: Agenda;
}

/** The walks that are due by the clock: of all folders, and of those without events. */
export class Rescans {
  readonly #options: RescansOptions;
  readonly #all: RescanSchedule;
  readonly #polls: RescanSchedule;

  constructor(options: RescansOptions) {
    this.#options = options;
    const { rescanMs = 300_000, pollMs = 3_000 } = options;
    this.#all = new RescanSchedule(rescanMs, rescanMs * FULL_RESCAN);
    this.#polls = new RescanSchedule(pollMs, pollMs);
  }

  /** When the next time is, by `performance.now()`. */
  get at(): number {
    const pollsAt = this.#options.tree.hasPolled ? this.#polls.at : Infinity;
    return Math.min(this.#all.at, pollsAt);
  }

  /** Brings the walk of all folders forward, because events were lost. */
  soon(afterMs: number): void {
    this.#all.soon(afterMs);
  }

  /** Puts all folders on the agenda. */
  walkRoots(options: WalkOptions): void {
    const { roots, agenda } = this.#options;
    for (const { place } of roots) agenda.walk(place, options);
  }

  /** Puts those folders on the agenda that are due now; returns a function to call when it is done. */
  begin(): ((tookMs: number) => void) | undefined {
    const rescan = this.#all.due();
    if (rescan) {
      this.walkRoots({ unchanged: rescan === "full" });
      return (tookMs) => this.#all.ended(rescan, tookMs);
    }
    const { tree, agenda } = this.#options;
    const poll = tree.hasPolled ? this.#polls.due() : undefined;
    if (!poll) return undefined;
    for (const { place, flat } of tree.polled()) {
      agenda.walk(place, { unchanged: poll === "full", flat });
    }
    return (tookMs) => this.#polls.ended(poll, tookMs);
  }
}
