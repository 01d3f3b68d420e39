import type { UploadQueue } from "../queue/queue.ts";
import type { OpenOriginal } from "../spool/private_copy.ts";
import {
  type FolderStanding,
  openerIn,
  WatchedRoot,
} from "../watch/watched_root.ts";

/** Returns what opens the files of captures where nothing is watched: in the folders that the last agent has watched. */
export function originals(queue: UploadQueue): OpenOriginal {
  const state = queue.getAgentState();
  const folders: FolderStanding[] = JSON.parse(state.folders);
  return openerIn(folders.map(({ path }) => new WatchedRoot(path, () => {})));
}
