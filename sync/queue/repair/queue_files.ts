import { basename, dirname, join, resolve } from "@std/path";
import { counted } from "../../host/counted.ts";
import { fileSize, removeIfThere, syncDir } from "../../host/files.ts";
import type { Log } from "../../host/log.ts";
import { ifThere } from "../../host/try_to.ts";
import { findDamage } from "../migrate.ts";
import {
  COMPANIONS,
  INCOMPLETE,
  keptPath,
  lostPath,
  movedPath,
  namesBeside,
  withoutEnd,
} from "../side_files.ts";
import { type Connection, damageOf, type Engine, hasFault } from "../sqlite.ts";
import { DamagedReader } from "./damaged_reader.ts";

/** What captures may be missing, for they have no copy in the spool, and what to do. */
const MAY_LACK =
  "those handed over with --no-copy, or larger than --copy-up-to, may be missing and have to be handed over again";

/** The files of a queue that may be damaged. Only for the process that holds the agent's lock. */
export class QueueFiles {
  readonly #path: string;
  readonly #wasUsed: boolean;
  readonly #reader: DamagedReader;
  readonly #log: Log;

  constructor(
    path: string,
    options: { lockPath: string; engine: Engine | undefined; log: Log },
  ) {
    this.#path = resolve(path);
    // The lock is taken only after the queue was made: then it was not empty.
    this.#wasUsed = fileSize(options.lockPath) !== undefined;
    this.#reader = new DamagedReader(this.#path, options.engine);
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
    try {
      if (this.#reader.hasForeignWal(this.#path)) {
        return "its -wal is another file's";
      }
      using view = this.#reader.view(this.#path, { tolerant: false });
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
      .find((stamp) => fileSize(movedPath(this.#path, stamp)) === undefined);
    if (stamp !== undefined) this.#moveTo(stamp);
  }

  /** Copies the readable rows of files that were moved away into the new queue. */
  finish(): void {
    for (const stamp of this.#unfinished()) {
      const from = movedPath(this.#path, stamp);
      const { captures, complete } = this.#reader.copyRows(from);
      const to = keptPath(this.#path, stamp) + (complete ? "" : INCOMPLETE);
      for (const end of [...COMPANIONS, ""]) rename(from + end, to + end);
      syncDir(dirname(this.#path));
      this.#log(
        "error",
        `The damaged queue is kept as "${to}": ${captures} of its captures could be ` +
          "read and are queued, the agent takes up those in the spool" +
          (complete ? "" : `; not all could be read: ${MAY_LACK}`),
      );
    }
  }

  /** Takes over the captures saved by processes whose queue had lost its -wal. */
  takeOver(): void {
    const prefix = basename(lostPath(this.#path, ""));
    for (const name of namesBeside(this.#path)) {
      if (!name.startsWith(prefix) || withoutEnd(name) !== name) continue;
      const from = join(dirname(this.#path), name);
      const { captures } = this.#reader.copyRows(from);
      ["", ...COMPANIONS].forEach((end) => removeIfThere(from + end));
      this.#log(
        "warn",
        `The -wal of "${this.#path}" was removed: ${
          counted(captures, "capture")
        } of it taken over`,
      );
    }
  }

  #moveTo(stamp: string): void {
    for (const end of [...COMPANIONS, ""]) {
      rename(this.#path + end, movedPath(this.#path, stamp) + end);
    }
    syncDir(dirname(this.#path));
  }

  /** The stamps of moved files whose rows are not copied yet, the oldest first. */
  #unfinished(): string[] {
    const prefix = basename(movedPath(this.#path, ""));
    const stamps = namesBeside(this.#path)
      .filter((name) => name.startsWith(prefix))
      .map((name) => withoutEnd(name.slice(prefix.length)));
    return [...new Set(stamps)].sort();
  }
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

/** Renames a file; one that is not there is fine. */
function rename(from: string, to: string): void {
  ifThere(() => Deno.renameSync(from, to));
}
