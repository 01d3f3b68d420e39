import type { UploadQueue } from "../queue/queue.ts";
import type { OpenOriginal } from "../spool/private_copy.ts";
import type { FolderStanding } from "../watch/folder_standing.ts";
import { openerIn, WatchedRoot } from "../watch/watched_root.ts";

/** Returns what opens the files of captures where nothing is watched: in the folders that the last agent has watched. */
export function originals(queue: UploadQueue): OpenOriginal {
  return openerIn(
    lastWatched(queue).map((path) => new WatchedRoot(path, () => {})),
  );
}

/** The folders that the last agent has watched. */
export function lastWatched(queue: UploadQueue): string[] {
  const folders: FolderStanding[] = JSON.parse(queue.getAgentState().folders);
  return folders.map(({ path }) => path);
}
