import { delay } from "@std/async/delay";
import { join } from "@std/path";
import type { OnceLog } from "./log.ts";

/** Options for {@linkcode FolderWalk}. */
export interface FolderWalkOptions {
  /** Takes every regular file that is found. */
  onFile: (path: string) => Promise<void>;
  log: OnceLog;
}

/** Two changes within this time may leave one modification time, in milliseconds. */
const GRAIN_MS = 2_000;
/** How many files are looked at before others get their turn. */
const TURN = 256;
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
  #looked = 0;

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
   * @throws what `onFile` throws.
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

  /** Hands on every file in a folder, and returns the folders in it. */
  async #list(
    folder: string,
    signal: AbortSignal,
  ): Promise<string[] | undefined> {
    const entries = this.#read(folder);
    if (!entries) return undefined;
    const folders: string[] = [];
    for (const { name, isDirectory, isFile } of entries) {
      if (++this.#looked % TURN === 0) await delay(0);
      if (signal.aborted) return undefined;
      if (isUnfinishedName(name)) continue;
      const path = join(folder, name);
      if (isDirectory) folders.push(path);
      else if (name.includes("\ufffd") && !exists(path)) this.#complain(path);
      else if (isFile) await this.#options.onFile(path);
    }
    return folders;
  }

  #read(folder: string): Deno.DirEntry[] | undefined {
    const { log } = this.#options;
    try {
      const entries = [...Deno.readDirSync(folder)];
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
