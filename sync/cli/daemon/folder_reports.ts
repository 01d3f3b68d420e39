import type { Log } from "../../host/log.ts";
import type { UploadQueue } from "../../queue/queue.ts";
import type { FolderState } from "../../watch/folder_state.ts";

/** The time between two looks at the state of the folders, in milliseconds. */
const TELL_EVERY_MS = 2_000;

/** Logs which folders are watched at first, and reports the state of all of them to other processes. */
export class FolderReports {
  readonly #folderStates: () => FolderState[];
  readonly #queue: UploadQueue;
  readonly #log: Log;
  #told = "";
  #notBefore = 0;

  constructor(
    folderStates: () => FolderState[],
    { queue, log }: { queue: UploadQueue; log: Log },
  ) {
    this.#folderStates = folderStates;
    this.#queue = queue;
    this.#log = log;
  }

  /** All folders were looked through once. */
  ready(): void {
    for (const { path, watchedBy } of this.#folderStates()) {
      const isWatched = watchedBy === "events" || watchedBy === "polling";
      if (isWatched) this.#log("info", `Watching "${path}"`);
    }
    this.#notBefore = 0;
    this.turn();
  }

  /** To be called at every turn. */
  turn(): void {
    if (performance.now() < this.#notBefore) return;
    this.#notBefore = performance.now() + TELL_EVERY_MS;
    const folders = this.#folderStates();
    const now = JSON.stringify(folders);
    if (now === this.#told) return;
    try {
      this.#queue.setAgentState({ folders: now });
      this.#told = now;
    } catch {
      // The queue is locked, or the disk full: the agent logs that; the next turn tries again.
    }
  }
}
