import { delay } from "@std/async/delay";
import { basename, join, relative } from "@std/path";
import type { WatchedFile } from "./intake.ts";
import type { Log } from "./log.ts";
import type { Metadata } from "./metadata.ts";
import { isSidecar, readSidecar, regularFile, sidecarOf } from "./sidecar.ts";

/** Options for {@linkcode FolderWatcher}. */
export interface FolderWatcherOptions {
  /**
   * How long a file must be unchanged to count as finished, in milliseconds.
   *
   * @default {2000}
   */
  settleMs?: number;
  /** Whether this very file was taken over before. */
  isKnown: (path: string, size: number, mtimeMs: number) => boolean;
  /** Takes finished files over. If it throws, they are found again later. */
  onFinished: (files: WatchedFile[]) => Promise<void>;
  log: Log;
}

/** How often folders are looked through for what events missed, in milliseconds. */
const RESCAN_MS = 300_000;
/** How often files in folders that have not changed are looked at as well. */
const FULL_RESCAN_MS = 3_600_000;
/** How long to wait after a failure to hand over, in milliseconds. */
const RETRY_MS = 10_000;
/** How many files are handed over at a time. */
const BATCH = 100;
/** With more unfinished files than this, the rest is left to the next rescan. */
const MAX_UNSETTLED = 10_000;
/** How many files are looked at before others get their turn. */
const YIELD_EVERY = 256;
/** What programs call files that they are still writing. */
const UNFINISHED_NAME = /^\.|\.(tmp|part|crdownload)$/i;

/** What a file looked like, and its sidecar, if it had one. */
interface Observed {
  size: number;
  mtimeMs: number;
  sidecar: { size: number; mtimeMs: number } | undefined;
}

/** A file that has yet to stay as it is. */
interface Unsettled extends Observed {
  /** When it was first seen like this, by a clock that never jumps. */
  since: number;
}

/**
 * Finds finished files in capture folders, at any depth.
 *
 * A file is finished when it was renamed into place, or when size and
 * modification time have not changed for the settle time. Hidden files and
 * folders, `*.tmp`, `*.part`, `*.crdownload`, symbolic links and whatever is not
 * a regular file are passed over. `NAME.json` beside `NAME` is its metadata.
 *
 * Events are hints and may be lost: what they miss, a rescan finds within some
 * minutes. Memory grows with the number of folders and of unfinished files, not
 * with the number of files.
 */
export class FolderWatcher {
  readonly #roots: string[];
  readonly #options: FolderWatcherOptions;
  readonly #settleMs: number;
  /** In the order of `since`. */
  readonly #unsettled = new Map<string, Unsettled>();
  /** Modification times of folders when they were listed, and the folders in them. */
  readonly #listed = new Map<string, { mtimeMs: number; folders: string[] }>();
  /** What events named: folders to list, files that were renamed into place. */
  readonly #dirty = new Set<string>();
  readonly #renamed = new Set<string>();
  /** What a person was told, so that it is said once. */
  readonly #told = new Set<string>();
  #batch: WatchedFile[] = [];
  #wake: () => void = () => {};

  /** @param folders Absolute paths. */
  constructor(folders: string[], options: FolderWatcherOptions) {
    this.#roots = folders;
    this.#options = options;
    this.#settleMs = options.settleMs ?? 2000;
  }

  /** Looks through all folders once, and hands over what is finished. */
  async scan(): Promise<void> {
    this.#listed.clear();
    await this.#look(this.#roots);
  }

  /**
   * Watches until the signal aborts: hands over what is there and what comes. A
   * folder that goes is waited for.
   *
   * @param onReady Is called when all folders were looked through once.
   */
  async run(signal: AbortSignal, onReady?: () => void): Promise<void> {
    let rescanAt = 0;
    let fullRescanAt = 0;
    const listeners = new Map<string, Promise<void>>();
    while (!signal.aborted) {
      const now = performance.now();
      if (now >= fullRescanAt) {
        this.#listed.clear();
        fullRescanAt = now + FULL_RESCAN_MS;
      }
      if (now >= rescanAt) {
        rescanAt = now + RESCAN_MS;
        this.#listenAll(listeners, signal);
        this.#roots.forEach((root) => this.#dirty.add(root));
      }
      try {
        const folders = [...this.#dirty];
        this.#dirty.clear();
        await this.#look(folders);
        this.#told.delete("hand over");
        onReady?.();
        onReady = undefined;
        await this.#sleep(Math.min(rescanAt, this.#nextSettled()), signal);
      } catch (error) {
        this.#tellOnce(
          "hand over",
          `Cannot take over watched files: ${messageOf(error)}`,
        );
        this.#batch = [];
        fullRescanAt = rescanAt = performance.now() + RETRY_MS;
        await this.#sleep(rescanAt, signal);
      }
    }
    await Promise.all(listeners.values());
  }

  /** Lists folders, then hands over whatever is finished by now. */
  async #look(folders: string[]): Promise<void> {
    for (const folder of folders) await this.#list(folder);
    const renamed = [...this.#renamed];
    this.#renamed.clear();
    for (const path of renamed) await this.#consider(path, { renamed: true });
    const now = performance.now();
    let looked = 0;
    for (const [path, { since }] of this.#unsettled) {
      // Those behind it were seen later.
      if (now - since < this.#settleMs) break;
      await this.#consider(path);
      if (++looked % YIELD_EVERY === 0) await delay(0);
    }
    await this.#flush();
  }

  async #list(folder: string): Promise<void> {
    const mtimeMs = folderTime(folder);
    if (mtimeMs === undefined) {
      this.#listed.delete(folder);
      if (this.#roots.includes(folder)) {
        this.#tellOnce(
          folder,
          `Cannot look through "${folder}": no such folder; waiting for it`,
        );
      }
      return;
    }
    this.#told.delete(folder);
    const before = this.#listed.get(folder);
    if (before?.mtimeMs === mtimeMs) {
      for (const below of before.folders) await this.#list(below);
      return;
    }
    const folders: string[] = [];
    let looked = 0;
    for (const entry of readDir(folder)) {
      if (UNFINISHED_NAME.test(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory) folders.push(path);
      else if (entry.isFile) await this.#consider(path);
      if (++looked % YIELD_EVERY === 0) await delay(0);
    }
    // A folder that changed within the clock's grain may change again unnoticed.
    if (Date.now() - mtimeMs > 2000) {
      this.#listed.set(folder, { mtimeMs, folders });
    }
    for (const below of folders) await this.#list(below);
  }

  /** Hands a file over if it is new and finished; else remembers to look again. */
  async #consider(
    path: string,
    { renamed = false }: { renamed?: boolean } = {},
  ): Promise<void> {
    const info = regularFile(path);
    if (!info) {
      this.#unsettled.delete(path);
      return this.#complainOfName(path);
    }
    const { size, mtimeMs } = sizeAndTime(info);
    if (this.#options.isKnown(path, size, mtimeMs) || isSidecar(path)) {
      this.#unsettled.delete(path);
      return;
    }
    const sidecar = regularFile(sidecarOf(path));
    const finished = renamed && this.#isStill(sidecar) ||
      this.#isSettled(path, info, sidecar);
    if (!finished) return this.#observe(path, observed(info, sidecar));
    this.#unsettled.delete(path);
    this.#batch.push({ path, size, mtimeMs, metadata: this.#metadataOf(path) });
    if (this.#batch.length >= BATCH) await this.#flush();
  }

  /** Whether a file and its sidecar, if there is one, have been as they are for the settle time. */
  #isSettled(
    path: string,
    info: Deno.FileInfo,
    sidecar: Deno.FileInfo | undefined,
  ): boolean {
    const seen = this.#unsettled.get(path);
    if (seen && isSame(seen, observed(info, sidecar))) {
      return performance.now() - seen.since >= this.#settleMs;
    }
    return this.#isStill(info) && this.#isStill(sidecar);
  }

  /**
   * Whether a file, if there is one, has been as it is for the settle time, by
   * its own times. A copy that keeps the original's time still has a new change time.
   */
  #isStill(info: Deno.FileInfo | undefined): boolean {
    if (!info) return true;
    const changedMs = Math.max(
      info.mtime?.getTime() ?? Infinity,
      info.ctime?.getTime() ?? 0,
    );
    return Date.now() - changedMs >= this.#settleMs;
  }

  /** Starts, or starts again, to wait for a file to stay as it is. */
  #observe(path: string, seen: Observed): void {
    this.#unsettled.delete(path);
    if (this.#unsettled.size >= MAX_UNSETTLED) return;
    this.#unsettled.set(path, { ...seen, since: performance.now() });
  }

  #metadataOf(path: string): Metadata {
    try {
      return readSidecar(path);
    } catch (error) {
      this.#tellOnce(
        path,
        `${messageOf(error)}; delivering "${path}" without it`,
      );
      return {};
    }
  }

  async #flush(): Promise<void> {
    const files = this.#batch;
    this.#batch = [];
    if (files.length > 0) await this.#options.onFinished(files);
  }

  /** Listens to every root that is there and not listened to. */
  #listenAll(
    listeners: Map<string, Promise<void>>,
    signal: AbortSignal,
  ): void {
    for (const root of this.#roots) {
      if (listeners.has(root) || folderTime(root) === undefined) continue;
      listeners.set(
        root,
        this.#listen(root, signal).finally(() => listeners.delete(root)),
      );
    }
  }

  /** Turns events into files and folders to look at, for as long as the system tells of any. */
  async #listen(root: string, signal: AbortSignal): Promise<void> {
    let stop = () => {};
    try {
      const watcher = Deno.watchFs(root);
      stop = () => watcher.close();
      signal.addEventListener("abort", stop);
      for await (const event of watcher) {
        if (event.kind === "access" || event.kind === "remove") continue;
        for (const path of event.paths) {
          this.#hint(root, path, event.kind === "rename");
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#tellOnce(
        root,
        `Cannot watch "${root}": ${
          messageOf(error)
        }; looking through it every few minutes instead`,
      );
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  #hint(root: string, path: string, renamed: boolean): void {
    const names = relative(root, path).split(/[\\/]/);
    if (names.some((name) => UNFINISHED_NAME.test(name))) return;
    const info = lstat(path);
    if (info?.isDirectory) {
      // A tree moved in says nothing of what is inside it.
      this.#dirty.add(path);
      this.#wake();
    } else if (info?.isFile && renamed) {
      this.#renamed.add(path);
      this.#wake();
    } else if (info?.isFile) {
      const now = observed(info, regularFile(sidecarOf(path)));
      const seen = this.#unsettled.get(path);
      if (seen && isSame(seen, now)) return;
      this.#observe(path, now);
      this.#wake();
    }
  }

  #nextSettled(): number {
    if (this.#dirty.size > 0 || this.#renamed.size > 0) return 0;
    const oldest = this.#unsettled.values().next().value;
    return oldest ? oldest.since + this.#settleMs : Infinity;
  }

  /** Sleeps until a time of `performance.now()`, an event, or the signal. */
  #sleep(until: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(until - performance.now(), 0));
      signal.addEventListener("abort", done);
      this.#wake = done;
      if (signal.aborted) done();
    });
  }

  #complainOfName(path: string): void {
    // What cannot be said in UTF-8 arrives with replacement characters.
    if (!basename(path).includes("\ufffd")) return;
    this.#tellOnce(
      path,
      `Cannot read "${path}": its name is not valid UTF-8; rename it to have it delivered`,
    );
  }

  #tellOnce(about: string, message: string): void {
    if (this.#told.has(about)) return;
    if (this.#told.size >= 1000) this.#told.clear();
    this.#told.add(about);
    this.#options.log("warn", message);
  }
}

function observed(
  info: Deno.FileInfo,
  sidecar: Deno.FileInfo | undefined,
): Observed {
  return { ...sizeAndTime(info), sidecar: sidecar && sizeAndTime(sidecar) };
}

function sizeAndTime(info: Deno.FileInfo): { size: number; mtimeMs: number } {
  return { size: info.size, mtimeMs: info.mtime?.getTime() ?? 0 };
}

function isSame(a: Observed, b: Observed): boolean {
  return a.size === b.size && a.mtimeMs === b.mtimeMs &&
    a.sidecar?.size === b.sidecar?.size &&
    a.sidecar?.mtimeMs === b.sidecar?.mtimeMs;
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

/** When the names in a folder last changed; `undefined` if there is none. */
function folderTime(path: string): number | undefined {
  try {
    const info = Deno.statSync(path);
    return info.isDirectory ? info.mtime?.getTime() ?? 0 : undefined;
  } catch {
    return undefined;
  }
}

function readDir(path: string): Iterable<Deno.DirEntry> {
  try {
    return Deno.readDirSync(path);
  } catch {
    return [];
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
