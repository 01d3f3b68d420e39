import { delay } from "@std/async/delay";
import { dirname, join, relative } from "@std/path";

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

/** How often a folder is looked for that has gone, in milliseconds. */
const GONE_MS = 2_000;
/** How often a folder is tried again that cannot be listened to, in milliseconds. */
export const TROUBLE_MS = 30_000;

/**
 * Listens to what happens in a folder and below it, for as long as the system
 * tells of it: no event is a promise, and some get lost. A folder that goes is
 * waited for, and listened to again.
 *
 * Nothing is told of what is reached by a symbolic link below the folder.
 */
export class FolderEvents {
  readonly #folder: string;
  readonly #listener: FolderListener;
  #watcher: Deno.FsWatcher | undefined;
  #identity: string | undefined;

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

  /** Listens anew if another folder has taken this one's place: no event says so for sure. */
  check(): void {
    if (this.#watcher && identityOf(this.#folder) !== this.#identity) {
      this.#close();
    }
  }

  /** Listens until the folder goes; returns how long to wait before the next time. */
  async #listen(): Promise<number> {
    this.#identity = identityOf(this.#folder);
    if (this.#identity === undefined) {
      this.#listener.onGone();
      return GONE_MS;
    }
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
      if (kind === "access") continue;
      for (const path of paths) {
        if (kind === "remove" && path === real) return;
        if (kind === "remove" || isBehindLink(path, real)) continue;
        this.#listener.onChange(join(this.#folder, relative(real, path)), {
          renamed: kind === "rename",
        });
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

/** The system follows links when it watches; whatever they lead to is not in the folder. */
function isBehindLink(path: string, root: string): boolean {
  const folder = dirname(path);
  if (folder === root || path === root) return false;
  try {
    return Deno.realPathSync(folder) !== folder;
  } catch {
    return true;
  }
}

function identityOf(folder: string): string | undefined {
  try {
    const { isDirectory, dev, ino } = Deno.statSync(folder);
    return isDirectory ? `${dev} ${ino}` : undefined;
  } catch {
    return undefined;
  }
}
