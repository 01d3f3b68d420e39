import { basename, join } from "@std/path";
import { statfsSync } from "node:fs";
import { createPrivateDir, syncDir } from "./data_dir.ts";
import { CaptureFileError } from "./outcome.ts";

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

/** A capture's file as it was put into the spool. */
export interface SpooledFile {
  /** In bytes. */
  size: number;
  mtimeMs: number;
}

/** Directory of what may be an only copy but belongs to no capture. */
const ORPHANS = "orphans";

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

  /** @param dir Is created for this user alone. */
  constructor(dir: string) {
    this.#dir = dir;
    createPrivateDir(dir);
  }

  /** Where a capture's bytes are. */
  pathOf(id: string): string {
    return join(this.#dir, shardOf(id), id);
  }

  /**
   * Takes a copy of a file. Its bytes are on the disk when the promise is
   * settled; its name only after {@linkcode Spool.commit}.
   *
   * @throws {CaptureFileError} if the file is gone, unreadable, not a regular
   * file, or changed while it was copied.
   */
  async addFile(id: string, source: string): Promise<SpooledFile> {
    const before = statCapture(source);
    this.#makeShard(id);
    try {
      try {
        // Of the file, not of a symbolic link to it.
        Deno.linkSync(Deno.realPathSync(source), this.pathOf(id));
      } catch {
        // Another file system, or one without links, or another user's file.
        await this.#copy(id, source, before);
      }
      syncFile(this.pathOf(id));
      return before;
    } catch (error) {
      this.remove(id);
      throw error;
    }
  }

  async #copy(id: string, source: string, before: SpooledFile): Promise<void> {
    const path = this.pathOf(id);
    await Deno.copyFile(source, path);
    const after = statCapture(source);
    const copied = Deno.statSync(path);
    const same = after.mtimeMs === before.mtimeMs &&
      after.size === before.size && copied.size === before.size;
    if (!same) {
      throw new CaptureFileError(
        `Cannot copy "${source}": it changed while it was copied, expected a finished file`,
      );
    }
    if (Deno.build.os !== "windows") Deno.chmodSync(path, 0o600);
    Deno.utimeSync(path, before.mtimeMs / 1000, before.mtimeMs / 1000);
  }

  /** Takes bytes that are in memory, otherwise like {@linkcode Spool.addFile}. */
  addBytes(id: string, data: Uint8Array): SpooledFile {
    this.#makeShard(id);
    try {
      writeFileDurably(this.pathOf(id), data);
      return statCapture(this.pathOf(id));
    } catch (error) {
      this.remove(id);
      throw error;
    }
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
    const shards = new Set(records.map(({ id }) => shardOf(id)));
    for (const shard of shards) syncDir(join(this.#dir, shard));
  }

  /**
   * Forgets a capture whose row is to be removed: without its record the entry
   * is not taken up again after a crash.
   */
  removeRecord(id: string): void {
    removeIfThere(this.#recordPath(id));
  }

  /** Removes an entry. One that is not there is fine. */
  remove(id: string): void {
    removeIfThere(this.pathOf(id));
    removeIfThere(this.#recordPath(id));
    removeIfThere(this.#recordPath(id) + ".tmp");
  }

  /** The ids of all entries, whole or not, some hundreds or thousands at a time. */
  *ids(): Generator<string[]> {
    for (const shard of Deno.readDirSync(this.#dir)) {
      if (!shard.isDirectory || shard.name === ORPHANS) continue;
      const names = [...Deno.readDirSync(join(this.#dir, shard.name))]
        .map(({ name }) => name.replace(/\.json(\.tmp)?$/, ""));
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

  /** How long ago an entry's bytes or names last changed, in milliseconds. */
  ageMs(id: string): number {
    const times = [this.pathOf(id), this.#recordPath(id)].map((path) => {
      try {
        const { ctime, mtime } = Deno.lstatSync(path);
        return (ctime ?? mtime)?.getTime() ?? 0;
      } catch {
        return 0;
      }
    });
    return Math.abs(Date.now() - Math.max(...times));
  }

  /** An entry's record; `undefined` if it has none that can be read. */
  record(id: string): SpoolRecord | undefined {
    try {
      const record = JSON.parse(Deno.readTextFileSync(this.#recordPath(id)));
      return record.id === id ? record : undefined;
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

  #makeShard(id: string): void {
    createPrivateDir(join(this.#dir, shardOf(id)));
  }
}

/** Ids are UUIDs, but for those of other programs: these may hold anything. */
function shardOf(id: string): string {
  return id.slice(-2).toLowerCase();
}

/**
 * Looks at a capture's file.
 *
 * @throws {CaptureFileError} if it is gone, cannot be looked at, or is not a regular file.
 */
export function statCapture(path: string): SpooledFile {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
    if (info.isFile) Deno.openSync(path, { read: true }).close();
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound
      ? "no such file"
      : cause instanceof Deno.errors.PermissionDenied
      ? "permission denied"
      : cause instanceof Error
      ? cause.message
      : String(cause);
    throw new CaptureFileError(`Cannot read "${path}": ${reason}`, { cause });
  }
  if (!info.isFile) {
    const kind = info.isDirectory ? "a directory" : "not a regular file";
    throw new CaptureFileError(
      `Cannot take "${path}": it is ${kind}, expected a file`,
    );
  }
  return { size: info.size, mtimeMs: info.mtime?.getTime() ?? 0 };
}

function writeFileDurably(path: string, data: Uint8Array): void {
  using file = Deno.openSync(path, {
    write: true,
    create: true,
    truncate: true,
    mode: 0o600,
  });
  for (let at = 0; at < data.length;) at += file.writeSync(data.subarray(at));
  file.syncSync();
}

function syncFile(path: string): void {
  using file = Deno.openSync(path, { read: true });
  file.syncSync();
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
