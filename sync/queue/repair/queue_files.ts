import { basename, dirname, join, resolve } from "@std/path";
import { counted } from "../../host/counted.ts";
import { fileSize, removeIfThere, syncDir } from "../../host/files.ts";
import type { Log } from "../../host/log.ts";
import { ifThere } from "../../host/try_to.ts";
import { findDamage, readQueueId } from "../migrate.ts";
import { lostPath } from "../queue_place.ts";
import {
  type Connection,
  damageOf,
  type Engine,
  hasFault,
  openDatabase,
} from "../sqlite.ts";
import { copyRows } from "./copy_rows.ts";

/** SQLite's files beside a database, in the order in which they must be moved. */
const COMPANIONS = ["-wal", "-shm", "-journal"];
const ENDS = /-(wal|shm|journal)$/;

/** The files of a queue that may be damaged. Only for the process that holds the agent's lock. */
export class QueueFiles {
  readonly #path: string;
  readonly #wasUsed: boolean;
  readonly #engine: { engine?: Engine };
  readonly #log: Log;

  constructor(
    path: string,
    options: { lockPath: string; engine: Engine | undefined; log: Log },
  ) {
    this.#path = resolve(path);
    // The lock is taken only after the queue was made: then it was not empty.
    this.#wasUsed = fileSize(options.lockPath) !== undefined;
    this.#engine = options.engine ? { engine: options.engine } : {};
    this.#log = options.log;
  }

  /** The reason why the file seems to have lost everything, if it does. Opens nothing. */
  findLoss(): string | undefined {
    const size = fileSize(this.#path);
    if (size) return undefined;
    // SQLite would remove it for being of no use.
    if (fileSize(this.#path + "-wal")) return "it is empty, its -wal is not";
    return size === 0 && this.#wasUsed ? "it is empty" : undefined;
  }

  /**
   * The damage to the file, if any; changes nothing. All of it is read if the last
   * agent did not end as it should: a power cut or a kill comes before most damage.
   */
  inspect(): string | undefined {
    if (fileSize(this.#path) === undefined) return undefined;
    if (this.#hasForeignWal(this.#path)) return "its -wal is another file's";
    try {
      using view = this.#view(this.#path, { tolerant: false });
      return endedWell(view) ? undefined : findDamage(view) ?? undefined;
    } catch (error) {
      // Any other reason shows when the queue is opened.
      return damageOf(error);
    }
  }

  /** Moves the files out of the way. */
  setAside(reason: string): void {
    this.#log("error", `The queue "${this.#path}" is damaged: ${reason}`);
    // In a form that sorts, and that every file system takes.
    this.#moveTo(new Date().toISOString().replace(/[-:.]/g, ""));
  }

  /** Goes on with a move that a crash has cut off, before the queue is opened. */
  completeMove(): void {
    // With a -wal of its own it has been used since, and stays.
    if (fileSize(this.#path + "-wal")) return;
    const stamp = this.#unfinished()
      .find((stamp) => fileSize(this.#moved(stamp)) === undefined);
    if (stamp !== undefined) this.#moveTo(stamp);
  }

  /** Copies the readable rows of files that were moved away into the new queue. */
  finish(): void {
    for (const stamp of this.#unfinished()) {
      const from = this.#moved(stamp);
      const count = fileSize(from) === undefined ? 0 : this.#copyRows(from);
      const to = this.#kept(stamp);
      for (const end of [...COMPANIONS, ""]) rename(from + end, to + end);
      syncDir(dirname(this.#path));
      this.#log(
        "error",
        `The damaged queue is kept as "${to}": ${count} of its captures could be ` +
          "read and are queued, the agent takes up those in the spool",
      );
    }
  }

  /** Takes over the captures saved by processes whose queue had lost its -wal. */
  takeOver(): void {
    const prefix = basename(lostPath(this.#path, ""));
    for (const name of namesBeside(this.#path)) {
      if (!name.startsWith(prefix) || ENDS.test(name)) continue;
      const from = join(dirname(this.#path), name);
      const count = this.#copyRows(from);
      ["", ...COMPANIONS].forEach((end) => removeIfThere(from + end));
      this.#log(
        "warn",
        `The -wal of "${this.#path}" was removed: ${
          counted(count, "capture")
        } of it taken over`,
      );
    }
  }

  #moveTo(stamp: string): void {
    for (const end of [...COMPANIONS, ""]) {
      rename(this.#path + end, this.#moved(stamp) + end);
    }
    syncDir(dirname(this.#path));
  }

  /** The stamps of moved files whose rows are not copied yet, the oldest first. */
  #unfinished(): string[] {
    const prefix = basename(this.#moved(""));
    const stamps = namesBeside(this.#path)
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length).replace(ENDS, ""));
    return [...new Set(stamps)].sort();
  }

  #copyRows(from: string): number {
    using target = openDatabase(this.#path, this.#engine);
    const copy = (view: Connection) => copyRows(view, target);
    const found = this.#hasForeignWal(from)
      ? undefined
      : this.#look(from, copy);
    // The -wal may be the damaged part.
    const more = found?.complete ? undefined : this.#lookAlone(from, copy);
    return (found?.captures ?? 0) + (more?.captures ?? 0);
  }

  /** Whether the -wal beside a queue was written for another one. */
  #hasForeignWal(path: string): boolean {
    if (!fileSize(path + "-wal")) return false;
    const own = this.#lookAlone(path, readQueueId);
    const merged = this.#look(path, readQueueId);
    return Boolean(own) && merged !== undefined && merged !== own;
  }

  /** Looks at a database without its -wal. */
  #lookAlone<T>(path: string, act: (view: Connection) => T): T | undefined {
    // Always the same name, so that the next call removes a crash's leftovers.
    const alone = `${this.#path}.alone`;
    const clean = () =>
      ["", ...COMPANIONS].forEach((end) => removeIfThere(alone + end));
    clean();
    try {
      linkOrCopy(path, alone);
      return this.#look(alone, act);
    } finally {
      clean();
    }
  }

  /** Looks at a database, if it can be opened at all. */
  #look<T>(path: string, act: (view: Connection) => T): T | undefined {
    let view: Connection;
    try {
      view = this.#view(path, { tolerant: true });
    } catch {
      return undefined;
    }
    try {
      return act(view);
    } finally {
      view.close();
    }
  }

  /** Read-only: closing a writable database merges its -wal. */
  #view(path: string, { tolerant }: { tolerant: boolean }): Connection {
    return openDatabase(path, { ...this.#engine, readonly: true, tolerant });
  }

  #moved(stamp: string): string {
    return `${this.#path}.repair-${stamp}`;
  }

  #kept(stamp: string): string {
    return `${this.#path}.corrupt-${stamp}`;
  }
}

/** The damaged queues that were set aside and are still there, by their names. */
export function queuesSetAside(path: string): string[] {
  const prefix = `${basename(path)}.corrupt-`;
  return namesBeside(path)
    .filter((name) => name.startsWith(prefix) && !ENDS.test(name)).sort();
}

/** Whether the last agent ended as it should, and said so. */
function endedWell(view: Connection): boolean {
  try {
    return view.prepare("SELECT pid FROM agent").get()?.pid === null;
  } catch (error) {
    // The first design has no such table.
    if (hasFault(error, "other")) return false;
    throw error;
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    Deno.linkSync(from, to);
  } catch {
    Deno.copyFileSync(from, to);
  }
}

/** Renames a file; one that is not there is fine. */
function rename(from: string, to: string): void {
  ifThere(() => Deno.renameSync(from, to));
}

function namesBeside(path: string): string[] {
  return [...Deno.readDirSync(dirname(resolve(path)))].map(({ name }) => name);
}
