import type { Log } from "../host/log.ts";
import type { UploadQueue } from "../queue/queue.ts";
import type { FolderStanding } from "../watch/folder_standing.ts";

/** The time between two looks at the state of the folders, in milliseconds. */
const TELL_EVERY_MS = 2_000;

/** Logs which folders are watched, and reports the state of all of them to other processes. */
export class FolderReports {
  readonly #standing: () => FolderStanding[];
  readonly #queue: UploadQueue;
  readonly #log: Log;
  #watched: ReadonlySet<string> | undefined;
  #told = "";
  #notBefore = 0;

  constructor(
    standing: () => FolderStanding[],
    { queue, log }: { queue: UploadQueue; log: Log },
  ) {
    this.#standing = standing;
    this.#queue = queue;
    this.#log = log;
  }

  /** All folders were looked through once. */
  ready(): void {
    this.#watched = new Set();
    this.#say(this.#standing());
  }

  /** To be called at every turn. */
  turn(): void {
    if (performance.now() < this.#notBefore) return;
    this.#notBefore = performance.now() + TELL_EVERY_MS;
    const standing = this.#standing();
    this.#say(standing);
    const now = JSON.stringify(standing);
    if (now === this.#told) return;
    try {
      this.#queue.setAgentState({ folders: now });
      this.#told = now;
    } catch {
      // The queue is locked, or the disk full: the agent says so, and the next turn comes.
    }
  }

  /** Logs those that are watched from now on; the reasons why others are not are logged elsewhere. */
  #say(standing: FolderStanding[]): void {
    const before = this.#watched;
    if (!before) return;
    const isWatched = ({ watchedBy }: FolderStanding) =>
      watchedBy === "events" || watchedBy === "polling";
    const paths = standing.filter(isWatched).map(({ path }) => path);
    paths.filter((path) => !before.has(path))
      .forEach((path) => this.#log("info", `Watching "${path}"`));
    this.#watched = new Set(paths);
  }
}
