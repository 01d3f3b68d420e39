import { fileIdAt } from "../host/opened_file.ts";
import { Glob } from "./glob.ts";
import { captureOf } from "./sidecar.ts";

export interface FilterOptions {
  /**
   * Only files that one of these globs matches. One without a slash is matched
   * against the file's name, one with a slash against its path in the folder.
   *
   * @default {every file}
   */
  include?: string[];
  /**
   * No files, and nothing in folders, that one of these globs matches.
   *
   * @default {none}
   */
  exclude?: string[];
  /** @default {0} */
  minSizeBytes?: number;
  /** @default {Infinity} */
  maxSizeBytes?: number;
  /**
   * Files and folders that are the agent's own, also under another path: by a mount,
   * a hard link, a link that came after the start.
   *
   * @default {none}
   */
  ownPaths?: string[];
}

/** The objection to a file or a folder of {@linkcode FilterOptions.ownPaths}. */
export const IS_OWN = "the agent's own";

/** The names that programs give to files that they are still writing. */
const UNFINISHED =
  /\.(tmp|temp|part|partial|filepart|crdownload|download|opdownload|aria2|lftp-pget-status|dtapart|fdmdownload|!ut|!qb|!bt|!sync|bc!|sw[nopx]|kate-swp)$|_exiftool_tmp$/i;
/** The names of files that editors and office programs put beside their documents. */
const BESIDE_WORK = /~$|^~\$|^#.*#$/;
/** The names of files that systems and file managers leave in folders. */
const OF_SYSTEMS = new Set([
  "thumbs.db",
  "ehthumbs.db",
  "ehthumbs_vista.db",
  "desktop.ini",
  "icon\r",
  "__macosx",
  "@eadir",
  "@synoeastream",
  "@recycle",
  "#recycle",
  "#snapshot",
  "$recycle.bin",
  "recycler",
  "recycled",
  "lost+found",
  "lost.dir",
  "system volume information",
  "network trash folder",
  "temporary items",
]);

/**
 * Twice the longest path that can be opened at once; without a bound, nested folders
 * could use up memory.
 */
const MAX_PATH = 8192;

/** Tells which files of watched folders are no captures, and why. */
export class CaptureFilter {
  readonly #include: Glob[] | undefined;
  readonly #exclude: Glob[];
  readonly #minSizeBytes: number;
  readonly #maxSizeBytes: number;
  readonly #ownPaths: string[];

  constructor(options: FilterOptions = {}) {
    this.#include = options.include?.map((text) => new Glob(text));
    this.#exclude = (options.exclude ?? []).map((text) => new Glob(text));
    this.#minSizeBytes = options.minSizeBytes ?? 0;
    this.#maxSizeBytes = options.maxSizeBytes ?? Infinity;
    this.#ownPaths = options.ownPaths ?? [];
  }

  /**
   * The reason why a file is no capture, or a folder is not entered; `undefined` if
   * there is none.
   *
   * @param name Its path in the watched folder, with slashes.
   */
  objection(name: string, kind: string): string | undefined {
    if (name.length > MAX_PATH) return "its path is too long";
    if (kind === "link") return "a symbolic link";
    if (kind === "folder") return this.#refusal(name);
    if (kind !== "file") return "not a regular file";
    const capture = captureOf(name);
    return capture === undefined || this.takesJson(name)
      ? this.#refusal(name) ?? this.#omission(name)
      : this.#refusal(name) ?? this.#refusal(capture) ??
        this.#omission(capture);
  }

  /** The reason why a file of this size is no capture. */
  sizeObjection(sizeBytes: number): string | undefined {
    if (sizeBytes < this.#minSizeBytes) {
      return `smaller than ${this.#minSizeBytes} bytes`;
    }
    if (sizeBytes > this.#maxSizeBytes) {
      return `larger than ${this.#maxSizeBytes} bytes`;
    }
    return undefined;
  }

  /** The agent's own files and folders as they are now: some are replaced now and then. */
  ownIds(): Set<string | undefined> {
    return new Set(this.#ownPaths.map(fileIdAt));
  }

  /** Whether JSON files are wanted as captures by a glob that says so. */
  takesJson(name: string): boolean {
    return this.#include?.some((glob) =>
      /json/i.test(glob.text) && glob.matches(name)
    ) ?? false;
  }

  #refusal(name: string): string | undefined {
    const last = name.slice(name.lastIndexOf("/") + 1);
    if (last.startsWith(".")) return "hidden";
    if (UNFINISHED.test(last)) return "named like a file that is not finished";
    if (BESIDE_WORK.test(last)) return "a program's working file";
    if (OF_SYSTEMS.has(last.toLowerCase())) return "a system's own file";
    const glob = this.#exclude.find((glob) => glob.matches(name));
    return glob && `excluded by "${glob.text}"`;
  }

  #omission(name: string): string | undefined {
    const isIncluded = this.#include?.some((glob) => glob.matches(name));
    return isIncluded === false ? "not included" : undefined;
  }
}
