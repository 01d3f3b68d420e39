import type { Folder } from "../host/folder.ts";
import { libc } from "../host/libc.ts";
import type { OnceLog } from "../host/log.ts";
import { tryTo } from "../host/try_to.ts";
import { InotifyEvents } from "./inotify.ts";
import { type WatchedRoot } from "./watched_root.ts";
import type { Place } from "./place.ts";

/** Callbacks for changes in folders. */
export interface FolderListener {
  /** A file came, was closed after writing, or was renamed to this name. */
  onFile(place: Place, options: { renamed: boolean }): void;
  /** A file has this name no more. */
  onFileLeft(place: Place): void;
  /** A folder came; there were no events for its content. */
  onFolder(place: Place): void;
  /** A folder has this name no more. */
  onFolderLeft(place: Place): void;
  /** A watched folder may have gone, or another one may have its name. */
  onRootUnsure(): void;
  /** Something was mounted or unmounted, anywhere. */
  onMounts(): void;
  /** Events were lost, or may be, or name what cannot be named. */
  onLost(): void;
}

/** Listens to folders. No event is a promise. */
export interface FolderEvents {
  /**
   * Listens to a folder from now on, and returns the number of its watch; `undefined`
   * if there will be no events for it, which is logged once.
   */
  watch(place: Place, folder: Folder): number | undefined;
  unwatch(watch: number, place: Place): void;
  /** Reports events until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** Returns how this system tells of folders; `undefined` if it does not. */
export function listenToFolders(
  listener: FolderListener,
  log: OnceLog,
): FolderEvents | undefined {
  if (libc) {
    try {
      return new InotifyEvents(listener, log);
    } catch (error) {
      sayUnheard(log, error as Error);
      return undefined;
    }
  }
  // On Linux it would open the file that an event names, and wait for ever at a pipe.
  if (Deno.build.os === "linux") return undefined;
  return new PortableEvents(listener, log);
}

/** Logs once why there are no events for some folders, with a remedy. */
export function sayUnheard(
  log: OnceLog,
  error: Error & { code?: string },
): void {
  const limit = { EMFILE: "instances", ENOSPC: "watches" }[error.code ?? ""];
  log.warn(
    "events",
    limit
      ? `This user's inotify ${limit} are used up: folders without one are looked through every few seconds; raise fs.inotify.max_user_${limit} with sysctl and start the agent again`
      : `Cannot be told what happens in folders, will look through them every few seconds: ${error.message}`,
  );
}

/**
 * Listens with Deno's watcher, which every system has, to all below a watched folder.
 * With any event others may have been lost: it only says that the folders have to be
 * looked through.
 */
export class PortableEvents implements FolderEvents {
  readonly #listener: FolderListener;
  readonly #log: OnceLog;
  readonly #heard = new Map<
    WatchedRoot,
    { folderId: string; watcher: Deno.FsWatcher }
  >();

  constructor(listener: FolderListener, log: OnceLog) {
    this.#listener = listener;
    this.#log = log;
  }

  watch({ root, name }: Place, folder: Folder): number | undefined {
    const { folderId } = folder.identity;
    const heard = this.#heard.get(root);
    if (name !== "" || heard?.folderId === folderId) return heard && 0;
    this.#close(root);
    try {
      const watcher = Deno.watchFs(root.path);
      this.#heard.set(root, { folderId, watcher });
      // Ends when it is closed, which nobody waits for.
      this.#hear(watcher).catch((error) => {
        sayUnheard(this.#log, error);
        this.#close(root);
      });
      return 0;
    } catch (error) {
      sayUnheard(this.#log, error as Error);
      return undefined;
    }
  }

  unwatch(): void {}

  async run(signal: AbortSignal): Promise<void> {
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
    [...this.#heard.keys()].forEach((root) => this.#close(root));
  }

  async #hear(watcher: Deno.FsWatcher): Promise<void> {
    for await (const { kind } of watcher) {
      if (kind === "access") continue;
      this.#listener.onRootUnsure();
      this.#listener.onLost();
    }
  }

  #close(root: WatchedRoot): void {
    // It may have ended by itself.
    tryTo(() => this.#heard.get(root)?.watcher.close());
    this.#heard.delete(root);
  }
}
