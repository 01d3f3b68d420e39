import { type WatchedRoot } from "./watched_root.ts";
import { pathOf, type Place } from "./place.ts";

/** An unreadable file or folder, with the reason; the first of several in one folder. */
export interface UnreadablePlace {
  place: Place;
  reason: string;
  count: number;
}

/** The state of one watched folder. */
export interface FolderState {
  path: string;
  /** The way its files are noticed; `missing` and `refused` folders are waited for. */
  watchedBy: "events" | "polling" | "missing" | "refused";
  /** Why it is not watched, or its files cannot be taken over; `null` if they can. */
  reason: string | null;
  /** How many of its files and folders cannot be read now; they are tried again. */
  unreadable: number;
  firstUnreadable: { path: string; reason: string } | null;
  /** How many of its files are delivered and could not be deleted or moved; that is tried again. */
  remaining: number;
  firstRemaining: { path: string; reason: string } | null;
}

/** The part of the state that the watcher knows. */
export type FolderWatchState = Omit<
  FolderState,
  "remaining" | "firstRemaining"
>;

/**
 * The state of a watched folder, given whether it is polled, the unreadable files of
 * all folders, and why files cannot be taken over.
 */
export function folderWatchState(
  root: WatchedRoot,
  { isPolled, unreadable, obstacle }: {
    isPolled: boolean;
    unreadable: UnreadablePlace[];
    obstacle: string | null;
  },
): FolderWatchState {
  const { path, trouble } = root;
  const inIt = unreadable.filter(({ place }) => place.root === root);
  const [first] = inIt;
  return {
    path,
    watchedBy: trouble?.kind ?? (isPolled ? "polling" : "events"),
    reason: trouble?.reason ?? obstacle,
    unreadable: inIt.reduce((sum, { count }) => sum + count, 0),
    firstUnreadable: first
      ? { path: pathOf(first.place), reason: first.reason }
      : null,
  };
}
