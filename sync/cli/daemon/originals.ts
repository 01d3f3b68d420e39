import type { UploadQueue } from "../../queue/queue.ts";
import type { FolderState } from "../../watch/folder_state.ts";
import { type Openers, openersIn } from "../../watch/openers.ts";
import { WatchedRoot } from "../../watch/watched_root.ts";

/**
 * Returns functions that open the files of captures where nothing is watched: in the
 * folders that the last agent has watched.
 */
export function originalsOf(queue: UploadQueue): Openers {
  const roots = lastWatched(queue)
    .map((path) => new WatchedRoot(path, () => {}));
  return openersIn(roots);
}

/** The folders that the last agent has watched. */
export function lastWatched(queue: UploadQueue): string[] {
  const folders: FolderState[] = JSON.parse(queue.getAgentState().folders);
  return folders.map(({ path }) => path);
}
