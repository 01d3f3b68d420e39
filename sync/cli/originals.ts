import type { UploadQueue } from "../queue/queue.ts";
import type { OpenOriginal } from "../spool/private_copy.ts";
import type { FolderStanding } from "../watch/folder_standing.ts";
import { openerIn, WatchedRoot } from "../watch/watched_root.ts";

/**
 * Returns a function that opens the files of captures where nothing is watched: in
 * the folders that the last agent has watched.
 *
 * @param openElsewhere As for {@linkcode openerIn}.
 */
export function originals(
  queue: UploadQueue,
  openElsewhere?: OpenOriginal,
): OpenOriginal {
  const roots = lastWatched(queue)
    .map((path) => new WatchedRoot(path, () => {}));
  return openerIn(roots, openElsewhere);
}

/** The folders that the last agent has watched. */
export function lastWatched(queue: UploadQueue): string[] {
  const folders: FolderStanding[] = JSON.parse(queue.getAgentState().folders);
  return folders.map(({ path }) => path);
}
