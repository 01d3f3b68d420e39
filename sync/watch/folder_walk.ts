import { join } from "@std/path";
import type { OnceLog } from "../host/log.ts";

/** Options for {@linkcode FolderWalk}. */
export interface FolderWalkOptions {
  /** Takes every regular file that is found, some at a time. */
  onFiles: (files: FoundFile[]) => Promise<void>;
  log: OnceLog;
}

/** A file, and what the listing of its folder says of a sidecar. */
export interface FoundFile {
  path: string;
  /**
   * When the folder was listed, in milliseconds since 1970, if there was no
   * sidecar in it; without it, whether there is one has to be looked for.
   */
  aloneAtMs?: number;
}

/** Two changes within this time may leave one modification time, in milliseconds. */
const GRAIN_MS = 2_000;
/** How many files are handed on at a time. */
const BATCH = 100;
/** What programs call files that they are still writing. */
const UNFINISHED = /^\.|\.(tmp|part|crdownload)$/i;

/** Whether a name says that it is nobody's business, or not yet. */
export function isUnfinishedName(name: string): boolean {
  return UNFINISHED.test(name);
}

/**
 * Looks through folders for files, at any depth. Links are not followed, hidden
 * and unfinished names passed over.
 *
 * A folder whose names have not changed since the last time is not listed again;
 * the folders below it are.
 */
export class FolderWalk {
  readonly #options: FolderWalkOptions;
  /** When the names in a folder had last changed when it was listed, and the folders in it. */
  readonly #listed = new Map<string, { mtimeMs: number; folders: string[] }>();

  constructor(options: FolderWalkOptions) {
    this.#options = options;
  }

  /** Lists a folder the next time, all of them by default, whether it has changed or not. */
  forget(folder?: string): void {
    if (folder === undefined) this.#listed.clear();
    else this.#listed.delete(folder);
  }

  /**
   * Looks through a folder, unless the signal aborts.
   *
   * @throws what `onFiles` throws.
   */
  async walk(folder: string, signal: AbortSignal): Promise<void> {
    const mtimeMs = folderTime(folder);
    const before = this.#listed.get(folder);
    let folders = before?.folders;
    if (!before || before.mtimeMs !== mtimeMs) {
      this.#listed.delete(folder);
      folders = await this.#list(folder, signal);
      if (!folders || signal.aborted) return;
      // What changed within the clock's grain may change again unnoticed.
      if (mtimeMs !== undefined && Date.now() - mtimeMs > GRAIN_MS) {
        this.#listed.set(folder, { mtimeMs, folders });
      }
    }
    for (const below of folders ?? []) await this.walk(below, signal);
  }

  /** Hands on every file in a folder, by name, and returns the folders in it. */
  async #list(
    folder: string,
    signal: AbortSignal,
  ): Promise<string[] | undefined> {
    const listedAtMs = Date.now();
    const entries = this.#read(folder);
    if (!entries) return undefined;
    const sidecars = new Set<string>();
    for (const { name } of entries) {
      if (name.endsWith(".json")) sidecars.add(name);
    }
    // Joining every name would take as long as asking the queue for it.
    const before = join(folder, "_").slice(0, -1);
    const folders: string[] = [];
    let files: FoundFile[] = [];
    for (const { name, isDirectory, isFile } of entries) {
      if (isUnfinishedName(name)) continue;
      const path = before + name;
      if (isDirectory) folders.push(path);
      else if (name.includes("\ufffd") && !exists(path)) this.#complain(path);
      else if (isFile) {
        const isAlone = sidecars.size === 0 || !sidecars.has(`${name}.json`);
        files.push(isAlone ? { path, aloneAtMs: listedAtMs } : { path });
      }
      if (files.length < BATCH) continue;
      await this.#options.onFiles(files);
      if (signal.aborted) return undefined;
      files = [];
    }
    if (files.length > 0) await this.#options.onFiles(files);
    return folders;
  }

  #read(folder: string): Deno.DirEntry[] | undefined {
    const { log } = this.#options;
    try {
      // Names in their order stand side by side in the queue as well.
      const entries = [...Deno.readDirSync(folder)]
        .sort((a, b) => a.name < b.name ? -1 : 1);
      log.forget(folder);
      return entries;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        const { message } = error as Error;
        log.warn(folder, `Cannot look through "${folder}": ${message}`);
      }
      return undefined;
    }
  }

  /** What is not UTF-8 arrives with replacement characters. */
  #complain(path: string): void {
    this.#options.log.warn(
      path,
      `Cannot read "${path}": its name is not valid UTF-8; rename it to have it delivered`,
    );
  }
}

/** When the names in a folder last changed; `undefined` if there is none. */
function folderTime(path: string): number | undefined {
  try {
    return Deno.statSync(path).mtime?.getTime() || 0;
  } catch {
    return undefined;
  }
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}
