import { type WatchedRoot } from "./watched_root.ts";
import { pathOf, type Place } from "./place.ts";

/** What cannot be read, and why; the first of several in one folder. */
export interface Unreadable {
  place: Place;
  reason: string;
  count: number;
}

/** How one watched folder stands. */
export interface FolderStanding {
  path: string;
  /** How its files are noticed; `missing` and `refused` folders are waited for. */
  watchedBy: "events" | "polling" | "missing" | "refused";
  reason: string | null;
  /** How many of its files and folders cannot be read now; they are tried again. */
  unreadable: number;
  firstUnreadable: { path: string; reason: string } | null;
  /** How many of its files are delivered and could not be deleted or moved; that is tried again. */
  remaining: number;
  firstRemaining: { path: string; reason: string } | null;
}

/** What the watcher knows of a folder. */
export type WatchStanding = Omit<
  FolderStanding,
  "remaining" | "firstRemaining"
>;

/** How a watched folder stands, given whether it is polled, and what cannot be read in any. */
export function standingOf(
  root: WatchedRoot,
  { isPolled, unreadable }: { isPolled: boolean; unreadable: Unreadable[] },
): WatchStanding {
  const { path, trouble } = root;
  const inIt = unreadable.filter(({ place }) => place.root === root);
  const [first] = inIt;
  return {
    path,
    watchedBy: trouble?.kind ?? (isPolled ? "polling" : "events"),
    reason: trouble?.reason ?? null,
    unreadable: inIt.reduce((sum, { count }) => sum + count, 0),
    firstUnreadable: first
      ? { path: pathOf(first.place), reason: first.reason }
      : null,
  };
}
