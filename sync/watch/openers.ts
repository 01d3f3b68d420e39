import { dirname } from "@std/path";
import { CaptureFileError, CaptureReadError } from "../capture/errors.ts";
import type { Folder } from "../host/folder.ts";
import { foldersTo } from "../host/links.ts";
import type { OpenedFile } from "../host/opened_file.ts";
import { ifThere } from "../host/try_to.ts";
import { openByPath, type OpenOriginal } from "../spool/private_copy.ts";
import { pathOf, type Place, placeIn, within } from "./place.ts";
import type { WatchedRoot } from "./watched_root.ts";

/** Functions that open the files of captures; those in watched folders with no link on the way. */
export interface Openers {
  /** Opens a file that lies elsewhere by its path. */
  openOriginal: OpenOriginal;
  /** Opens no file that lies elsewhere: a row's path is not to be trusted by itself. */
  openWatched: OpenOriginal;
}

/** Returns functions that open the files of captures, given the watched folders. */
export function openersIn(roots: readonly WatchedRoot[]): Openers {
  return {
    openOriginal: (capture) => openIn(roots, capture) ?? openByPath(capture),
    openWatched: (capture) => {
      const file = openIn(roots, capture);
      if (file) return file;
      throw new CaptureFileError(
        `Cannot read the capture "${capture.filepath}": it is in no watched folder`,
      );
    },
  };
}

/** How many files are remembered whose disk is away. */
const MAX_AWAY = 1_000;

/**
 * Opens a file that lies in a watched folder from there, as a link's target may have
 * been moved out of the folder, or never have been in it; `undefined` if it lies in none.
 */
function openIn(
  roots: readonly WatchedRoot[],
  { id, filepath, watched, identity }: Parameters<OpenOriginal>[0],
): OpenedFile | undefined {
  const place = watched ? placeIn(roots, filepath) : undefined;
  if (!place) return undefined;
  const { root } = place;
  root.away.delete(id);
  using folder = root.open();
  if (!folder) {
    throw cannotRead(filepath, `its watched folder is ${root.trouble!.kind}`);
  }
  try {
    return folder.openFile(place.name);
  } catch (error) {
    const isGone = error instanceof Deno.errors.NotFound && identity;
    const mountPoint = isGone && unmountedFrom(folder, place, identity.fileId);
    if (!mountPoint) throw error;
    const reason = `its disk is away, "${mountPoint}" is on another disk`;
    if (root.away.size < MAX_AWAY) {
      root.away.set(id, { place, reason, count: 1 });
    }
    throw cannotRead(filepath, reason);
  }
}

function cannotRead(path: string, reason: string): CaptureReadError {
  return new CaptureReadError(`Cannot read the capture "${path}": ${reason}`);
}

/**
 * The path of the folder where a disk with this file seems to be mounted at times;
 * `undefined` if it does not. What has other files in the file's own folder may be its
 * disk by another number, and the file is gone.
 */
function unmountedFrom(
  folder: Folder,
  { root, name }: Place,
  fileId: string,
): string | undefined {
  const diskOf = (id: string) => id.slice(0, id.indexOf(":"));
  const own = dirname(name);
  for (const above of foldersTo(own)) {
    using nearest = ifThere(() => folder.openFolder(above));
    if (!nearest) continue;
    const isOther = diskOf(nearest.identity.folderId) !== diskOf(fileId);
    if (!isOther || above === own && !isEmpty(nearest)) return undefined;
    return pathOf(within({ root, name: "" }, above));
  }
}

function isEmpty(folder: Folder): boolean {
  return folder.list().every((entries) => entries.length === 0);
}
