import { delay } from "@std/async/delay";
import { basename, dirname, join, relative } from "@std/path";

/** What is told of a folder. */
export interface FolderListener {
  /** Something was written at a path, or renamed to it. */
  onChange(path: string, options: { renamed: boolean }): void;
  /** Anything may have happened below the folder: it came, or events were lost. */
  onUnsure(): void;
  /** The folder is not there; said again and again. */
  onGone(): void;
  /** The folder cannot be listened to; said again and again. */
  onTrouble(error: Error): void;
}

/** How often it is looked whether a folder is still the same: no event says so for sure. */
const CHECK_MS = 5_000;
/** How often a folder is tried again that cannot be listened to, in milliseconds. */
export const TROUBLE_MS = 30_000;

/**
 * Listens to what happens in a folder and below it, for as long as the system
 * tells of it: no event is a promise, and some get lost. A folder that goes is
 * waited for, and listened to again.
 *
 * Paths are without links below the folder: what such a link leads to elsewhere
 * is not told of.
 */
export class FolderEvents {
  readonly #folder: string;
  readonly #listener: FolderListener;
  #watcher: Deno.FsWatcher | undefined;

  /** @param folder An absolute path. */
  constructor(folder: string, listener: FolderListener) {
    this.#folder = folder;
    this.#listener = listener;
  }

  /** Listens until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#close();
    signal.addEventListener("abort", stop);
    while (!signal.aborted) {
      const waitMs = await this.#listen();
      await delay(waitMs, { signal }).catch(() => {});
    }
    signal.removeEventListener("abort", stop);
  }

  /** Listens until the folder goes; returns how long to wait before the next time. */
  async #listen(): Promise<number> {
    const identity = identityOf(this.#folder);
    if (identity === undefined) {
      this.#listener.onGone();
      return CHECK_MS;
    }
    const checking = setInterval(() => {
      if (identityOf(this.#folder) !== identity) this.#close();
    }, CHECK_MS);
    try {
      // Some systems tell the real path, whatever was asked for.
      const real = Deno.realPathSync(this.#folder);
      this.#watcher = Deno.watchFs(real);
      this.#listener.onUnsure();
      await this.#hear(this.#watcher, real);
      return 0;
    } catch (error) {
      this.#listener.onTrouble(error as Error);
      return TROUBLE_MS;
    } finally {
      clearInterval(checking);
      this.#close();
    }
  }

  async #hear(watcher: Deno.FsWatcher, real: string): Promise<void> {
    const events = watcher[Symbol.asyncIterator]();
    while (true) {
      const event = await events.next().catch((error) => {
        // A name that is not: the events after it can be read again.
        if (/UTF-8/.test(error.message)) return undefined;
        throw error;
      });
      if (event?.done) return;
      if (!event || event.value.flag) {
        this.#listener.onUnsure();
        continue;
      }
      const { kind, paths } = event.value;
      if (kind === "remove" && paths.includes(real)) return;
      if (kind === "access" || kind === "remove") continue;
      for (const path of paths) {
        const names = namesOf(path, real);
        if (!names) continue;
        const renamed = kind === "rename";
        this.#listener.onChange(join(this.#folder, names), { renamed });
      }
    }
  }

  #close(): void {
    try {
      this.#watcher?.close();
    } catch {
      // It was closed before.
    }
    this.#watcher = undefined;
  }
}

/**
 * The way from a folder to a path in it, `undefined` if it is elsewhere: the
 * system follows links, and may tell of a folder by the name of a link to it.
 */
function namesOf(path: string, root: string): string | undefined {
  if (path === root || dirname(path) === root) return relative(root, path);
  try {
    const real = join(Deno.realPathSync(dirname(path)), basename(path));
    const names = relative(root, real);
    return names.startsWith("..") ? undefined : names;
  } catch {
    return undefined;
  }
}

/** Which folder it is, whatever it is called; `undefined` if there is none. */
function identityOf(folder: string): string | undefined {
  try {
    const { isDirectory, dev, ino, birthtime } = Deno.statSync(folder);
    // A number that became free may be the next one's.
    const made = birthtime?.getTime();
    return isDirectory ? `${dev} ${ino} ${made}` : undefined;
  } catch {
    return undefined;
  }
}
