import { dirname, resolve } from "@std/path";
import { removeIfThere, syncDir } from "../host/files.ts";
import { createPrivateFile } from "../host/private_files.ts";
import { identityAt } from "../host/reach.ts";
import { tryTo } from "../host/try_to.ts";
import type { Ballast } from "./ballast.ts";
import { copyRows } from "./copy_rows.ts";
import { prepareSchema } from "./migrate.ts";
import { lostPath } from "./side_files.ts";
import { type Connection, DatabaseError, openDatabase } from "./sqlite.ts";

/** SQLite's files beside a database as long as anybody has it open. */
const COMPANIONS = ["-wal", "-shm"];

/** An open queue: its database, and whether that is only looked at. */
interface OpenQueue {
  database: Connection;
  looksOnly: boolean;
}

/** Never closed, nor freed as long as the process lives: see {@linkcode QueuePlace.abandon}. */
const abandoned = new Map<string, Connection>();

/**
 * The files of an open queue: SQLite goes on with those that it has opened, even if
 * others have their names by now.
 */
export class QueuePlace {
  readonly #path: string;
  readonly #identity: string | undefined;
  /** The companions that exist; a queue that cannot be written to may have none. */
  readonly #companions: [path: string, identity: string][] = [];

  /** @param options `isCopy` is whether SQLite has a copy open, with companions of its own. */
  constructor(path: string, { isCopy }: { isCopy: boolean }) {
    this.#path = path;
    this.#identity = identityAt(path);
    for (const end of isCopy ? [] : COMPANIONS) {
      const identity = identityAt(path + end);
      if (identity) this.#companions.push([path + end, identity]);
    }
  }

  /**
   * @throws {DatabaseError} if a file is not in its place: its fault is `"parted"` if
   * only the -wal or the -shm is not.
   * @throws {UnreachableError} if nobody can tell now.
   */
  assertHeld(): void {
    if (identityAt(this.#path) !== this.#identity) {
      throw lost(this.#path, "replaced", "; open it again");
    }
    const [part] = this.#parted();
    if (part !== undefined) throw lost(part, "parted", "; start again");
  }

  /** Whether SQLite works with a -wal or -shm that other processes do not see. */
  get isParted(): boolean {
    return tryTo(() =>
      identityAt(this.#path) === this.#identity && this.#parted().length > 0
    ) ?? false;
  }

  /**
   * Leaves the database open until the process ends, in place of closing it: SQLite
   * would write its -wal over what others have put into the queue since, and remove
   * theirs by its name. If the -wal was removed, its content is saved beside the
   * queue first, in the room of the ballast, for the next agent to take over.
   */
  abandon({ database, looksOnly }: OpenQueue, reserve?: Ballast): void {
    const key = keyOf(this.#path, this.#identity);
    if (abandoned.has(key)) return;
    abandoned.set(key, database);
    const hasLostWal = this.#parted().some((path) => path.endsWith("-wal"));
    if (looksOnly || !hasLostWal) return;
    reserve?.drop();
    // Without room, or if it is unreadable, only the spool's records are left of it.
    tryTo(() => this.#keep(database));
  }

  #keep(database: Connection): void {
    const unfinished = `${this.#path}.unfinished-${crypto.randomUUID()}`;
    try {
      createPrivateFile(unfinished);
      copyInto(unfinished, database);
      Deno.renameSync(unfinished, lostPath(this.#path, crypto.randomUUID()));
    } finally {
      ["", ...COMPANIONS].forEach((end) => removeIfThere(unfinished + end));
    }
    syncDir(dirname(resolve(this.#path)));
  }

  #parted(): string[] {
    return this.#companions
      .filter(([path, identity]) => identityAt(path) !== identity)
      .map(([path]) => path);
  }
}

/** Makes a queue with the content of another one. Deno lets its SQLite do no `VACUUM INTO`. */
function copyInto(path: string, database: Connection): void {
  using copy = openDatabase(path, { engine: database.engine.name });
  prepareSchema(copy);
  copyRows(database, copy);
}

/**
 * Refuses a queue that this process has abandoned: SQLite would go on with the lost
 * -shm, and the -wal that is there now.
 */
export function assertNotAbandoned(path: string): void {
  if (abandoned.size > 0 && abandoned.has(keyOf(path, identityAt(path)))) {
    throw lost(path, "parted", "; start again");
  }
}

/** With its path: a number alone may come to belong to another file. */
function keyOf(path: string, identity: string | undefined): string {
  return `${identity} ${resolve(path)}`;
}

function lost(
  path: string,
  fault: "replaced" | "parted",
  remedy: string,
): DatabaseError {
  const cause = `"${path}" was removed or replaced meanwhile`;
  const message = `Cannot go on with this queue: ${cause}${remedy}`;
  return new DatabaseError(message, { fault, cause });
}
