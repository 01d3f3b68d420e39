import { foldersTo } from "../host/links.ts";
import { listMounts, type Mount } from "../host/mounts.ts";
import { tryTo } from "../host/try_to.ts";
import type { CaptureFilter } from "./capture_filter.ts";
import { pathOf, type Place } from "./place.ts";
import type { FolderWatcherOptions } from "./watcher_options.ts";
import type { WatchedRoot } from "./watched_root.ts";

/** A place at which a file system was mounted, unmounted, or exchanged for another. */
export interface MountChange {
  place: Place;
  /** Whether an automounter has it now, which mounts something when it is looked into. */
  isAutomatic: boolean;
}

/** What is mounted at a place. */
interface MountPoint {
  place: Place;
  /** Its path without links. */
  path: string;
  /** Those of the mounts there, the lowest first. */
  ids: string;
}

/** Options for {@linkcode MountChanges}. */
export interface MountChangesOptions
  extends Pick<FolderWatcherOptions, "provesMounted"> {
  filter: CaptureFilter;
  /** Stands in for the system's mounts. */
  list?: typeof listMounts;
}

/** Tells what is mounted at or below the watched folders: no event of a folder does. */
export class MountChanges {
  readonly #roots: readonly WatchedRoot[];
  readonly #filter: CaptureFilter;
  readonly #list: typeof listMounts;
  readonly #provesMounted: boolean;
  /** By the path of the place. */
  #before = new Map<string, MountPoint>();
  /** The places where something has changed, by their paths. */
  readonly #changed = new Map<string, Place>();
  /** Those of them that were not looked through since. */
  readonly #unseen = new Map<string, Place>();

  constructor(
    roots: readonly WatchedRoot[],
    { filter, provesMounted = false, list = listMounts }: MountChangesOptions,
  ) {
    this.#provesMounted = provesMounted;
    this.#roots = roots;
    this.#filter = filter;
    this.#list = list;
  }

  /** The changes since the last call, but for those in folders that are not entered. */
  take(): MountChange[] {
    const mounts = this.#list();
    if (!mounts) return [];
    const before = this.#before;
    const now = this.#before = this.#pointsOf(mounts);
    return [...new Map([...before, ...now])]
      .filter(([path]) => before.get(path)?.ids !== now.get(path)?.ids)
      .map(([key, { place, path }]) => {
        this.#changed.set(key, place);
        this.#unseen.set(key, place);
        const isAutomatic = holderOf(path, mounts)?.kind === "autofs";
        return { place, isAutomatic };
      });
  }

  /** Whether another disk may be at a place than was there at the start. */
  hasChanged(place: Place): boolean {
    return isAtOrBelow(this.#changed, place);
  }

  /** Whether the files at a place have to prove by their content that they are the known ones. */
  isUnsure(place: Place): boolean {
    return this.#provesMounted && isAtOrBelow(this.#unseen, place);
  }

  /** Returns a function to call when all files at a place were looked at, from now on. */
  beginLook(place: Place): () => void {
    const path = pathOf(place);
    const change = this.#unseen.get(path);
    return () => {
      // Another one may have come meanwhile.
      if (this.#unseen.get(path) === change) this.#unseen.delete(path);
    };
  }

  #pointsOf(mounts: Mount[]): Map<string, MountPoint> {
    const points = new Map<string, MountPoint>();
    for (const root of this.#roots) {
      const top = tryTo(() => Deno.realPathSync(root.path));
      if (top === undefined) continue;
      for (const { path, id } of mounts) {
        if (!isWithin(path, top)) continue;
        const name = path.slice(top.length).replace(/^\//, "");
        if (!this.#isEntered(name)) continue;
        const place = { root, name };
        const before = points.get(pathOf(place));
        const ids = before ? `${before.ids}, ${id}` : id;
        points.set(pathOf(place), { place, path, ids });
      }
    }
    return points;
  }

  #isEntered(name: string): boolean {
    return name === "" || foldersTo(name).every((folder) =>
      folder === "." ||
      this.#filter.objection(folder, "folder") === undefined
    );
  }
}

function isAtOrBelow(
  places: Map<string, Place>,
  { root, name }: Place,
): boolean {
  return places.values().some((one) =>
    one.root === root && (one.name === "" || isWithin(name, one.name))
  );
}

/** The mount to which a path leads. */
function holderOf(path: string, mounts: Mount[]): Mount | undefined {
  let holder: Mount | undefined;
  for (const mount of mounts) {
    const isNearer = mount.path.length >= (holder?.path.length ?? 0);
    if (isNearer && isWithin(path, mount.path)) holder = mount;
  }
  return holder;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder ||
    path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}
