import { basename, dirname, relative } from "@std/path";
import { FinishedFiles, type SeenFile, type Taker } from "./finished_files.ts";
import { FolderEvents, TROUBLE_MS } from "./folder_events.ts";
import { FolderWalk, type FoundFile, isUnfinishedName } from "./folder_walk.ts";
import { type Log, OnceLog } from "../host/log.ts";
import type { Metadata } from "../capture/metadata.ts";
import { Rescans } from "./rescans.ts";
import { changedAt, Settling } from "./stability.ts";
import { isSidecar, readSidecar, regularFile, sidecarOf } from "./sidecar.ts";
import { Turns } from "./turns.ts";
import { Wakeup } from "../host/wakeup.ts";

/** Options for {@linkcode FolderWatcher}. */
export interface FolderWatcherOptions extends Taker {
  /**
   * How long a file must be unchanged to count as finished, in milliseconds.
   *
   * @default {2000}
   */
  settleMs?: number;
  /**
   * How often folders are looked through for what events missed, in
   * milliseconds. After events it is done sooner.
   *
   * @default {300000}
   */
  rescanMs?: number;
  log: Log;
}

/** How long to wait after a failure to hand over, in milliseconds. */
const RETRY_MS = 10_000;
/** How many paths that events named are looked at together. */
const TOGETHER = 100;
/** How many of them are remembered. */
const MAX_NAMED = 10_000;

/**
 * Finds finished files in capture folders, at any depth.
 *
 * A file is finished when it was renamed into place, or when size and
 * modification time have not changed for the settle time. Hidden files and
 * folders, `*.tmp`, `*.part`, `*.crdownload`, symbolic links and whatever is not
 * a regular file are passed over. `NAME.json` beside `NAME` is its metadata, and
 * has to be finished as well.
 *
 * Events are hints and may be lost: what they miss is found when the folders are
 * looked through, which is done soon after events, and else every few minutes.
 * Memory grows with the number of folders and of unfinished files, not with the
 * number of files.
 */
export class FolderWatcher {
  readonly #roots: string[];
  readonly #options: FolderWatcherOptions;
  readonly #log: OnceLog;
  readonly #settleMs: number;
  readonly #settling: Settling;
  readonly #finished: FinishedFiles;
  readonly #walk: FolderWalk;
  readonly #wakeup = new Wakeup();
  readonly #turns = new Turns();
  /** What events named: folders to walk, files that were renamed into place. */
  readonly #folders = new Set<string>();
  readonly #renamed = new Set<string>();
  /** Folders with a file in them that was seen and could not be remembered. */
  readonly #missed = new Set<string>();
  readonly #rescans: Rescans;

  /** @param folders Absolute paths, none inside another. */
  constructor(folders: string[], options: FolderWatcherOptions) {
    this.#roots = folders;
    this.#options = options;
    this.#log = new OnceLog(options.log);
    this.#settleMs = options.settleMs ?? 2_000;
    this.#rescans = new Rescans(options.rescanMs ?? 300_000);
    this.#settling = new Settling({ settleMs: this.#settleMs });
    this.#finished = new FinishedFiles(options);
    this.#walk = new FolderWalk({
      onFiles: (files) => this.#consider(files),
      log: this.#log,
    });
  }

  /**
   * Looks through all folders once, and hands over what is finished.
   *
   * @throws whatever prevents that for one of them, after the others.
   */
  async scan(): Promise<void> {
    this.#nameAll({ unchanged: true });
    await this.#look(new AbortController().signal);
  }

  /**
   * Watches until the signal aborts: hands over what is there and what comes. A
   * folder that goes is waited for.
   *
   * @param onReady Is called when all folders were looked through once.
   */
  async run(signal: AbortSignal, onReady?: () => void): Promise<void> {
    signal.addEventListener("abort", () => this.#wakeup.wake());
    const listening = this.#roots
      .map((root) => this.#eventsOf(root).run(signal));
    while (!signal.aborted) {
      const rescan = this.#rescans.begin();
      if (rescan) this.#nameAll({ unchanged: rescan === "full" });
      try {
        await this.#look(signal);
        if (rescan) this.#log.forget("hand over");
      } catch (error) {
        this.#tryAgain(error as Error);
      }
      if (rescan) this.#rescans.end();
      onReady?.();
      onReady = undefined;
      const until = Math.min(this.#rescans.at, this.#settling.nextAt);
      // Events get their turn in any case.
      await this.#wakeup.sleep(Math.max(until - performance.now(), 1));
    }
    await Promise.all(listening);
  }

  /** Names all folders to be walked through, those as well that have not changed if so wanted. */
  #nameAll({ unchanged }: { unchanged: boolean }): void {
    if (unchanged) this.#walk.forget();
    this.#missed.forEach((folder) => this.#walk.forget(folder));
    this.#missed.clear();
    this.#roots.forEach((root) => this.#folders.add(root));
  }

  /** What could not be taken, and what was not reached for it, has to be found again. */
  #tryAgain(error: Error): void {
    this.#walk.forget();
    this.#rescans.soon(RETRY_MS);
    this.#log.warn(
      "hand over",
      `Cannot take over watched files, will try again: ${error.message}`,
    );
  }

  #eventsOf(root: string): FolderEvents {
    const lookThrough = () => {
      this.#folders.add(root);
      this.#wakeup.wake();
    };
    return new FolderEvents(root, {
      onChange: (path, { renamed }) => {
        const names = relative(root, path).split(/[\\/]/);
        if (!names.some(isUnfinishedName)) this.#hint(path, renamed);
      },
      onUnsure: () => {
        this.#log.forget(root);
        lookThrough();
      },
      onGone: () => {
        this.#log.warn(
          root,
          `Cannot find the folder "${root}", waiting for it`,
        );
      },
      onTrouble: ({ message }) => {
        this.#log.warn(
          `events of ${root}`,
          `Cannot be told what happens in "${root}", will look through it every ${
            TROUBLE_MS / 1000
          } s: ${message}`,
        );
        lookThrough();
      },
    });
  }

  /** Takes note of a path at which something changed. */
  #hint(path: string, renamed: boolean): void {
    const info = lstat(path);
    // Where one event comes from, others may have been lost.
    this.#rescans.soon(this.#settleMs);
    if (this.#folders.size + this.#renamed.size >= MAX_NAMED) {
      this.#missed.add(dirname(path));
    } else if (info?.isDirectory) {
      // A tree moved in says nothing of what is inside it.
      this.#folders.add(path);
    } else if (info?.isFile && renamed) {
      this.#renamed.add(path);
    } else if (info?.isFile) {
      this.#settling.wait(path, this.#filesOf({ path }));
    }
    this.#wakeup.wake();
  }

  /** Walks through the folders that were named, and hands over whatever is finished. */
  async #look(signal: AbortSignal): Promise<void> {
    this.#finished.failure = undefined;
    const folders = [...this.#folders];
    const renamed = [...this.#renamed];
    this.#folders.clear();
    this.#renamed.clear();
    await this.#considerPaths(renamed, { renamed: true, signal });
    for (const folder of folders) await this.#walk.walk(folder, signal);
    await this.#considerPaths([...this.#settling.due()], { signal });
    await this.#finished.flush();
    if (this.#finished.failure) throw this.#finished.failure;
  }

  async #considerPaths(
    paths: string[],
    { renamed = false, signal }: { renamed?: boolean; signal: AbortSignal },
  ): Promise<void> {
    for (let at = 0; at < paths.length && !signal.aborted; at += TOGETHER) {
      const some = paths.slice(at, at + TOGETHER).map((path) => ({ path }));
      await this.#consider(some, { renamed });
    }
  }

  /** Hands files over that are new and finished; remembers to look at the others again. */
  async #consider(
    found: FoundFile[],
    { renamed = false }: { renamed?: boolean } = {},
  ): Promise<void> {
    const seen = found.flatMap((one) => this.#see(one, renamed));
    const areKnown = this.#options.areKnown(seen);
    for (const [n, capture] of seen.entries()) {
      const { path } = capture;
      if (areKnown[n] || isSidecar(path)) this.#settling.forget(path);
      else this.#takeUp(capture, renamed);
    }
    // Not in between: what is handed over would have to be asked for again.
    if (this.#finished.isFull) await this.#finished.flush();
    await this.#turns.end();
  }

  /** Looks at a capture; none if it is not there. */
  #see(found: FoundFile, renamed: boolean): SeenCapture[] {
    const { path } = found;
    const files = this.#filesOf(found);
    const [file] = files;
    if (renamed || !file) this.#settling.forget(path);
    if (!file) return [];
    const { size, mtime } = file;
    return [{ path, size, mtimeMs: mtime?.getTime() || 0, files }];
  }

  #takeUp({ files, ...file }: SeenCapture, renamed: boolean): void {
    const { path } = file;
    const unproven = renamed ? files.slice(1) : files;
    if (this.#settling.isSettled(path, files, unproven)) {
      this.#settling.forget(path);
      const metadata = files.length > 1 ? this.#metadataOf(path) : {};
      this.#finished.add({ ...file, metadata });
    } else if (this.#settling.isFull) {
      this.#missed.add(dirname(path));
      this.#rescans.soon(this.#settleMs);
    }
  }

  /** A file and its sidecar, as they are now; none if the file is not there. */
  #filesOf({ path, aloneAtMs = -Infinity }: FoundFile): Deno.FileInfo[] {
    const file = regularFile(path);
    if (!file) return [];
    // What had settled when it was listed is not waited for any longer.
    if (aloneAtMs - changedAt(file) >= this.#settleMs) return [file];
    const sidecar = regularFile(sidecarOf(path));
    return sidecar ? [file, sidecar] : [file];
  }

  #metadataOf(path: string): Metadata {
    try {
      return readSidecar(path);
    } catch (error) {
      const { message } = error as Error;
      const sidecar = sidecarOf(path);
      this.#log.warn(
        sidecar,
        `Cannot use "${sidecar}", "${
          basename(path)
        }" goes without it: ${message}`,
      );
      return {};
    }
  }
}

/** A file, and all that belongs to the capture: the file and its sidecar. */
interface SeenCapture extends SeenFile {
  files: Deno.FileInfo[];
}

function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}
