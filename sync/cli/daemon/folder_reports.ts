import type { Log } from "../../host/log.ts";
import type { UploadQueue } from "../../queue/queue.ts";
import type { FolderState } from "../../watch/folder_state.ts";

/** The time between two looks at the state of the folders, in milliseconds. */
const TELL_EVERY_MS = 2_000;

/** Logs which folders are watched, and reports the state of all of them to other processes. */
export class FolderReports {
  readonly #folderStates: () => FolderState[];
  readonly #queue: UploadQueue;
  readonly #log: Log;
  #watched: ReadonlySet<string> | undefined;
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
    this.#watched = new Set();
    this.#notBefore = 0;
    this.turn();
  }

  /** To be called at every turn. */
  turn(): void {
    if (performance.now() < this.#notBefore) return;
    this.#notBefore = performance.now() + TELL_EVERY_MS;
    const folders = this.#folderStates();
    this.#say(folders);
    const now = JSON.stringify(folders);
    if (now === this.#told) return;
    try {
      this.#queue.setAgentState({ folders: now });
      this.#told = now;
    } catch {
      // The queue is locked, or the disk full: the agent says so, and the next turn comes.
    }
  }

  /** Logs those that are watched from now on; the reasons why others are not are logged elsewhere. */
  #say(folders: FolderState[]): void {
    const before = this.#watched;
    if (!before) return;
    const isWatched = ({ watchedBy }: FolderState) =>
      watchedBy === "events" || watchedBy === "polling";
    const paths = folders.filter(isWatched).map(({ path }) => path);
    paths.filter((path) => !before.has(path))
      .forEach((path) => this.#log("info", `Watching "${path}"`));
    this.#watched = new Set(paths);
  }
}
