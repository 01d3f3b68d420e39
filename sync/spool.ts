import { statfsSync } from "node:fs";
import { basename, join } from "@std/path";
import { createPrivateDir, syncDir } from "./data_dir.ts";
import { removeIfThere, writeFileDurably } from "./durable_file.ts";
import { type SpooledFile, statCapture, takeCopy } from "./take_copy.ts";

export { type SpooledFile, statCapture } from "./take_copy.ts";

/** What a spool entry knows of itself, so that a lost queue can be rebuilt. */
export interface SpoolRecord {
  id: string;
  /** Where the capture was handed over. */
  filepath: string;
  /** A JSON object as text. */
  metadataJson: string;
  /** In milliseconds since 1970. */
  createdAtMs: number;
  /** In bytes. */
  size: number;
  /** The file's modification time, in milliseconds since 1970. */
  mtimeMs: number;
  watched: boolean;
}

/** Directory of what may be an only copy but belongs to no capture. */
const ORPHANS = "orphans";

/** Directory of what is about to be gone: discarded entries, some in a directory. */
const TRASH = "trash";

/** Entries that are discarded together. */
interface Trash {
  dir: string;
  gone: Promise<void>;
}

/** The ids that entries can have. No other text becomes part of a path. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The agent's own copies of captures: `XX/ID` holds the bytes, `XX/ID.json` the
 * record. `XX` are the last two characters of the id, so that no directory
 * grows beyond what can be listed at once.
 *
 * A copy is a hard link where the file system allows, so that no bytes are
 * copied and the maker may delete the original; else a copy (by reflink where
 * the file system has it). The record comes last, by a rename: an entry that has
 * one is whole.
 */
export class Spool {
  readonly #dir: string;
  #trash: Trash | undefined;

  /** @param dir Is created for this user alone. */
  constructor(dir: string) {
    this.#dir = dir;
    createPrivateDir(join(dir, TRASH));
  }

  /** Whether an entry can have this id. */
  canHold(id: string): boolean {
    return UUID.test(id);
  }

  /**
   * Where a capture's bytes are.
   *
   * @throws {TypeError} if the id is no UUID, in lower case.
   */
  pathOf(id: string): string {
    if (this.canHold(id)) return join(this.#dir, shardOf(id), id);
    throw new TypeError(
      `Cannot keep a capture as "${id}" in the spool: expected a UUID`,
    );
  }

  /**
   * Takes a copy of a file. Its bytes are on the disk when the promise is
   * settled; its name only after {@linkcode Spool.commit}. If it cannot be done
   * nothing is left of it.
   *
   * @param options See {@linkcode takeCopy}.
   * @throws {CaptureFileError} if the file is gone, unreadable, not a regular
   * file, or changed while it was copied.
   * @throws {TypeError} if the id is no UUID, or has an entry already.
   */
  async addFile(
    id: string,
    source: string,
    options: { beforeCopy?: () => void } = {},
  ): Promise<SpooledFile> {
    const path = this.#newPath(id);
    try {
      return await takeCopy(source, path, options);
    } catch (error) {
      this.remove(id);
      throw error;
    }
  }

  /** Takes bytes that are in memory, otherwise like {@linkcode Spool.addFile}. */
  addBytes(id: string, data: Uint8Array): SpooledFile {
    const path = this.#newPath(id);
    try {
      writeFileDurably(path, data);
      return statCapture(path);
    } catch (error) {
      this.remove(id);
      throw error;
    }
  }

  /** A path that nothing has yet: to copy onto another link of the source would empty it. */
  #newPath(id: string): string {
    const path = this.pathOf(id);
    if (this.has(id)) {
      throw new TypeError(
        `Cannot keep a capture as "${id}" twice in the spool`,
      );
    }
    createPrivateDir(join(this.#dir, shardOf(id)));
    return path;
  }

  /** Completes entries: their records, then the names of both, are on the disk afterwards. */
  commit(records: SpoolRecord[]): void {
    for (const record of records) {
      const temporary = this.#recordPath(record.id) + ".tmp";
      writeFileDurably(
        temporary,
        new TextEncoder().encode(JSON.stringify(record)),
      );
      Deno.renameSync(temporary, this.#recordPath(record.id));
    }
    this.#syncShards(records.map(({ id }) => id));
  }

  /**
   * Forgets captures whose rows are to be removed: without their records the
   * entries are not taken up again after a crash, and not after a power cut.
   */
  removeRecords(ids: string[]): void {
    for (const id of ids) removeIfThere(this.#recordPath(id));
    this.#syncShards(ids);
  }

  #syncShards(ids: string[]): void {
    const shards = new Set(ids.map(shardOf));
    for (const shard of shards) {
      const dir = join(this.#dir, shard);
      if (exists(dir)) syncDir(dir);
    }
  }

  /** Removes an entry. One that is not there is fine. */
  remove(id: string): void {
    removeIfThere(this.pathOf(id));
    removeIfThere(this.#recordPath(id));
    removeIfThere(this.#recordPath(id) + ".tmp");
  }

  /**
   * Removes the whole entry of a settled capture. At once it only loses its
   * place; to free what it takes can last a disk ten times as long, which
   * another thread waits for, once for all that are discarded together.
   *
   * @returns Settled when it is gone.
   */
  discard(id: string): Promise<void> {
    const { dir, gone } = this.#trash ??= this.#newTrash();
    for (const path of [this.pathOf(id), this.#recordPath(id)]) {
      try {
        Deno.renameSync(path, join(dir, basename(path)));
      } catch {
        // Where the disk is so full that there is no room for another name.
        removeIfThere(path);
      }
    }
    return gone;
  }

  /** Removes what a crash left of discarded entries. */
  async emptyTrash(): Promise<void> {
    for await (const { name } of Deno.readDir(join(this.#dir, TRASH))) {
      await removeTree(join(this.#dir, TRASH, name));
    }
  }

  #newTrash(): Trash {
    const dir = join(this.#dir, TRASH, crypto.randomUUID());
    try {
      Deno.mkdirSync(dir, { mode: 0o700 });
    } catch {
      // The disk is full: entries are removed where they are.
    }
    const remove = () => {
      this.#trash = undefined;
      return removeTree(dir);
    };
    return { dir, gone: Promise.resolve().then(remove) };
  }

  /** The ids of all entries, whole or not, some hundreds or thousands at a time. */
  *ids(): Generator<string[]> {
    for (const shard of Deno.readDirSync(this.#dir)) {
      if (!shard.isDirectory) continue;
      const names = [...Deno.readDirSync(join(this.#dir, shard.name))]
        .map(({ name }) => name.replace(/\.json(\.tmp)?$/, ""))
        // Other files, the orphans among them, are no entries.
        .filter((name) => UUID.test(name) && shardOf(name) === shard.name);
      yield [...new Set(names)];
    }
  }

  /** Whether the entry has its bytes. */
  has(id: string): boolean {
    try {
      return Deno.lstatSync(this.pathOf(id)).isFile;
    } catch {
      return false;
    }
  }

  /**
   * When an entry's bytes or names last changed, in milliseconds since 1970; 0 if
   * it is not there. A copy keeps the original's modification time, so that
   * this is about the time that nobody can set.
   */
  changedMs(id: string): number {
    const times = [this.pathOf(id), this.#recordPath(id)].map((path) => {
      try {
        const { ctime, mtime } = Deno.lstatSync(path);
        return (ctime ?? mtime)?.getTime() ?? 0;
      } catch {
        return 0;
      }
    });
    return Math.max(...times);
  }

  /** An entry's record; `undefined` if it has none that can be used. */
  record(id: string): SpoolRecord | undefined {
    try {
      const record = JSON.parse(Deno.readTextFileSync(this.#recordPath(id)));
      return isRecord(record) && record.id === id ? record : undefined;
    } catch {
      return undefined;
    }
  }

  /** Sets an entry aside that belongs to no capture, for a person to look at. */
  setAside(id: string): void {
    const dir = join(this.#dir, ORPHANS);
    createPrivateDir(dir);
    for (const path of [this.pathOf(id), this.#recordPath(id)]) {
      try {
        Deno.renameSync(path, join(dir, basename(path)));
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    removeIfThere(this.#recordPath(id) + ".tmp");
  }

  /** How many files were set aside. */
  orphans(): number {
    try {
      return [...Deno.readDirSync(join(this.#dir, ORPHANS))]
        .filter(({ name }) => !name.endsWith(".json")).length;
    } catch {
      return 0;
    }
  }

  /** How many bytes the spool's disk has left for this user. */
  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#dir);
    return bavail * bsize;
  }

  #recordPath(id: string): string {
    return this.pathOf(id) + ".json";
  }
}

function shardOf(id: string): string {
  return id.slice(-2);
}

/** Whether all that is needed to queue a capture again is there. */
function isRecord(value: unknown): value is SpoolRecord {
  if (typeof value !== "object" || value === null) return false;
  const { filepath, metadataJson, createdAtMs, size, mtimeMs, watched } =
    value as SpoolRecord;
  return [filepath, metadataJson].every((text) => typeof text === "string") &&
    [createdAtMs, size, mtimeMs].every(Number.isFinite) &&
    typeof watched === "boolean";
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

async function removeTree(dir: string): Promise<void> {
  try {
    await Deno.remove(dir, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
