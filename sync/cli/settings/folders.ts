import {
  basename,
  dirname,
  isAbsolute,
  join,
  relative,
  resolve,
} from "@std/path";
import type { AfterUpload } from "../../watch/after_upload.ts";
import type { FilterOptions } from "../../watch/capture_filter.ts";
import { Glob } from "../../watch/glob.ts";
import { spoolDir } from "../../host/data_dir_paths.ts";
import { OUT_OF_BOUNDS } from "../../host/deno_words.ts";
import { foldersTo } from "../../host/links.ts";
import { fileIdAt } from "../../host/opened_file.ts";
import { tryTo } from "../../host/try_to.ts";
import type { OptionValues } from "../arguments.ts";

/**
 * Reads the treatment of a watched file once it is delivered.
 *
 * @throws {UsageError} if it is none, or would put files among the agent's own.
 */
export function readAfterUpload(
  given: OptionValues,
  dataDir: string,
): AfterUpload {
  const text = given.value("after-upload");
  if (text === "keep" || text === "delete") return { kind: text };
  const named = /^move:(.+)$/s.exec(text)?.[1];
  const dir = named && given.path("after-upload", named, text);
  if (dir !== undefined && isOutOfBounds(dir)) {
    throw given.wrong(
      "after-upload",
      `move:DIR with a DIR not ${OUT_OF_BOUNDS}`,
    );
  }
  if (dir === undefined || kindOf(dir) === "other") {
    throw given.wrong("after-upload", "keep, delete or move:DIR");
  }
  if (dataDir && isInDataDir(dir, dataDir)) {
    throw given.wrong(
      "after-upload",
      `move:DIR with a DIR outside the data directory "${dataDir}"`,
    );
  }
  return { kind: "move", dir };
}

/**
 * Reads which files of watched folders are wanted.
 *
 * @throws {UsageError} if no size would do, or a glob is none.
 */
export function readFilter(given: OptionValues): FilterOptions {
  const include = readGlobs(given, "include").map(({ text }) => text);
  const exclude = readGlobs(given, "exclude").map(({ text }) => text);
  const minSizeBytes = given.bytes("min-size") ?? 0;
  const maxSizeBytes = given.bytes("max-size") ?? Infinity;
  if (minSizeBytes > maxSizeBytes) {
    throw given.wrong("min-size", "no more than --max-size");
  }
  return {
    ...(include.length > 0 && { include }),
    exclude,
    minSizeBytes,
    maxSizeBytes,
  };
}

/** @throws {UsageError} if one is none. */
export function readGlobs(
  given: OptionValues,
  name: "include" | "exclude" | "path",
): Glob[] {
  return given.texts(name).map((text) => {
    try {
      return new Glob(text);
    } catch {
      const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
      throw given.wrong(
        name,
        "a glob like *.png, door/** or [ab]?.{png,jpg}, of at most 1000 characters",
        shown,
      );
    }
  });
}

/**
 * Reads the folders to watch, each once.
 *
 * @throws {UsageError} if one can never be watched; a folder that is missing may
 * still come.
 */
export function readWatch(
  given: OptionValues,
  dataDir: string,
  afterUpload: AfterUpload,
): string[] {
  const folders = given.texts("watch").map((text) => {
    const dir = given.path("watch", text);
    const kind = kindOf(dir);
    if (isOutOfBounds(dir)) {
      throw given.wrong("watch", `a folder not ${OUT_OF_BOUNDS}`, text);
    }
    if (kind === "other") {
      throw given.wrong("watch", "a folder, not a file", text);
    }
    // A missing folder is waited for; a relative path to one is most likely a mistake.
    if (kind === "nothing" && !isAbsolute(text)) {
      throw given.wrong(
        "watch",
        "a folder, or the absolute path of one that will be there later",
        text,
      );
    }
    return dir;
  });
  for (const dir of folders) {
    const wrong = (expected: string) => given.wrong("watch", expected, dir);
    if (contains(dir, dataDir) || contains(dataDir, dir)) {
      throw wrong(`a folder apart from the data directory "${dataDir}"`);
    }
    // Moved files would be found again, for ever.
    if (afterUpload.kind === "move" && contains(dir, afterUpload.dir)) {
      throw given.wrong(
        "after-upload",
        `a folder outside the watched "${dir}"`,
      );
    }
  }
  // One inside another is watched with it, and its files must not count twice.
  return folders.filter((dir, at) =>
    !folders.some((other, i) =>
      i !== at && contains(other, dir) && (i < at || !contains(dir, other))
    )
  );
}

function kindOf(path: string): "folder" | "other" | "nothing" {
  const info = tryTo(() => Deno.statSync(path));
  return info ? info.isDirectory ? "folder" : "other" : "nothing";
}

/** Whether a path leads below /dev, /proc or /sys, also through links. */
export function isOutOfBounds(path: string): boolean {
  try {
    Deno.lstatSync(realPath(resolve(path)));
    return false;
  } catch (error) {
    return error instanceof Deno.errors.NotCapable;
  }
}

/** Whether a folder is, or is in, another one, also through links. */
export function contains(outer: string, inner: string): boolean {
  return nameIn(outer, realPath(inner)) !== undefined;
}

/** Whether a path leads into the data directory or its spool, by whatever link or mount. */
export function isInDataDir(path: string, dataDir: string): boolean {
  const own = [dataDir, spoolDir(dataDir)];
  if (own.some((dir) => contains(dir, path))) return true;
  const ids = own.map(fileIdAt).filter((id) => id !== undefined);
  return foldersTo(realPath(resolve(path)))
    .some((folder) => ids.some((id) => id === fileIdAt(folder)));
}

/**
 * The name of a path without links in a folder, which may be reached through links:
 * empty for the folder itself, `undefined` if it lies elsewhere.
 */
export function nameIn(outer: string, inner: string): string | undefined {
  const path = relative(realPath(outer), inner);
  const isElsewhere = /^\.\.(?:[\\/]|$)/.test(path) || isAbsolute(path);
  return isElsewhere ? undefined : path;
}

/** The most links that lead to nothing that are followed: they may lead in a circle. */
const MAX_LINKS = 40;

/** The path without symbolic links, also where what they lead to is not there yet. */
export function realPath(path: string, links = MAX_LINKS): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const parent = dirname(path);
    if (parent === path) return path;
    const at = join(realPath(parent, links), basename(path));
    const target = links > 0 ? tryTo(() => Deno.readLinkSync(at)) : undefined;
    return target === undefined
      ? at
      : realPath(resolve(dirname(at), target), links - 1);
  }
}
