import { join } from "@std/path";
import { CaptureFileError } from "../capture/errors.ts";
import type { Folder } from "../host/folder.ts";
import {
  type FileIdentity,
  isSameVersion,
  type OpenedFile,
} from "../host/opened_file.ts";
import { tryTo } from "../host/try_to.ts";
import type { WatchedRoot } from "./watched_root.ts";

/** A folder below a watched one, or that one itself; or a file in it. */
export interface Place {
  root: WatchedRoot;
  /** Relative to the watched folder, like `b/c.png`; empty for that one itself. */
  name: string;
}

/** The place of a name in a folder. */
export function within({ root, name }: Place, below: string): Place {
  return { root, name: name === "" ? below : `${name}/${below}` };
}

/** The absolute path of a place. */
export function pathOf({ root, name }: Place): string {
  return join(root.path, name);
}

/** The place of a path in the first of these folders that has it; `undefined` if none has. */
export function placeIn(
  roots: readonly WatchedRoot[],
  path: string,
): Place | undefined {
  for (const root of roots) {
    const name = root.nameOf(path);
    if (name !== undefined) return { root, name };
  }
}

/** Whether a path in one of these folders leads to this file. */
export function isAt(
  roots: readonly WatchedRoot[],
  path: string,
  fileId: string,
): boolean {
  const place = placeIn(roots, path);
  using folder = place?.root.open();
  return folder !== undefined &&
    fileAt(folder, place!.name)?.fileId === fileId;
}

/** The entry with this name in a folder; `undefined` if there is none, or it cannot be reached. */
export function lookAt(
  folder: Folder,
  name: string,
): ReturnType<Folder["look"]> {
  // A link, or a folder that is closed to this user, may be on the way.
  return tryTo(() => folder.look(name));
}

/** The file of this name in a folder; `undefined` if there is none, or something else. */
export function fileAt(
  folder: Folder,
  name: string,
): FileIdentity & { links: number } | undefined {
  const info = lookAt(folder, name);
  return info?.kind === "file" ? info : undefined;
}

/**
 * Opens the file at a place, if it is this version.
 *
 * @throws {CaptureFileError} if it is another.
 */
export function openSame(place: Place, identity: FileIdentity): OpenedFile {
  const file = place.root.openFile(place.name);
  if (isSameVersion(file.identity, identity)) return file;
  file[Symbol.dispose]();
  throw new CaptureFileError(
    `Cannot take "${
      pathOf(place)
    }": it changed meanwhile, expected a finished file`,
  );
}
