import { foldersTo } from "../host/links.ts";
import { listMounts, type Mount } from "../host/mounts.ts";
import { tryTo } from "../host/try_to.ts";
import type { CaptureFilter } from "./capture_filter.ts";
import { pathOf, type Place } from "./place.ts";
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

/** Tells what is mounted at or below the watched folders: no event of a folder does. */
export class MountChanges {
  readonly #roots: readonly WatchedRoot[];
  readonly #filter: CaptureFilter;
  readonly #list: typeof listMounts;
  /** By the path of the place. */
  #before = new Map<string, MountPoint>();

  /** @param options `list` stands in for the system's mounts. */
  constructor(
    roots: readonly WatchedRoot[],
    { filter, list = listMounts }: {
      filter: CaptureFilter;
      list?: typeof listMounts;
    },
  ) {
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
      .map(([, { place, path }]) => ({
        place,
        isAutomatic: holderOf(path, mounts)?.kind === "autofs",
      }));
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
