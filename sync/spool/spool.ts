import { dirname, join } from "@std/path";
import { createPrivateDir, syncDir } from "../host/data_dir.ts";
import { freeBytes } from "../host/disk_space.ts";
import { removeIfThere, writeFileDurably } from "../host/files.ts";
import { parseRecord, RecordLog, type SpoolRecord } from "./record_log.ts";
import {
  exists,
  type SpooledFile,
  statCapture,
  takeCopy,
} from "./take_copy.ts";

export type { SpoolRecord } from "./record_log.ts";
export { type SpooledFile, statCapture } from "./take_copy.ts";

/** Directory of what may be an only copy but belongs to no capture. */
const ORPHANS = "orphans";

/** The file with the records of all entries. */
const RECORDS = "records.jsonl";

/** What is not larger is removed sooner than another thread would begin to, in bytes. */
const SMALL_BYTES = 1024 * 1024;

/** The ids that entries can have. No other text becomes part of a path. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The agent's own copies of captures: `XX/ID` holds the bytes, the log
 * `records.jsonl` a record of each. `XX` are the last two characters of the id,
 * so that no directory grows beyond what can be listed at once.
 *
 * A copy is a hard link where the file system allows, so that no bytes are
 * copied and the maker may delete the original; else a copy (by reflink where
 * the file system has it). The record comes last: an entry that has one is whole.
 */
export class Spool {
  /** Where it is. */
  readonly dir: string;
  readonly #log: RecordLog;

  /** @param dir Is created for this user alone. */
  constructor(dir: string) {
    this.dir = dir;
    this.#log = new RecordLog(join(dir, RECORDS));
    createPrivateDir(dir);
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
    if (this.canHold(id)) return `${this.dir}/${shardOf(id)}/${id}`;
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
    const path = this.pathOf(id);
    createPrivateDir(dirname(path));
    try {
      return await takeCopy(source, path, options);
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) throw twice(id);
      this.remove(id);
      throw error;
    }
  }

  /** Takes bytes that are in memory, otherwise like {@linkcode Spool.addFile}. */
  addBytes(id: string, data: Uint8Array): SpooledFile {
    const path = this.pathOf(id);
    if (exists(path)) throw twice(id);
    createPrivateDir(dirname(path));
    try {
      writeFileDurably(path, data);
      return statCapture(path);
    } catch (error) {
      this.remove(id);
      throw error;
    }
  }

  /** Completes entries: their records and their names are on the disk afterwards. */
  commit(records: SpoolRecord[]): void {
    for (const { id } of records) this.pathOf(id);
    this.#log.append(records);
    this.#syncShards(records.map(({ id }) => id));
  }

  #syncShards(ids: string[]): void {
    const shards = new Set(ids.map(shardOf));
    for (const shard of shards) {
      const dir = join(this.dir, shard);
      if (exists(dir)) syncDir(dir);
    }
  }

  /** Removes an entry. One that is not there is fine. */
  remove(id: string): void {
    removeIfThere(this.pathOf(id));
  }

  /** Removes entries for good: a power cut does not bring them back. */
  removeDurably(ids: string[]): void {
    for (const id of ids) this.remove(id);
    this.#syncShards(ids);
  }

  /**
   * Removes the entry of a settled capture. A large one is removed on another
   * thread: a disk may take long to free what it holds.
   *
   * @param size In bytes, as far as it is known.
   */
  async discard(id: string, size: number | null): Promise<void> {
    const path = this.pathOf(id);
    if (size !== null && size <= SMALL_BYTES) return removeIfThere(path);
    await Deno.remove(path).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }

  /** The records of all entries, and of some that are gone; some at a time. */
  records(): AsyncGenerator<SpoolRecord[]> {
    return this.#log.read();
  }

  /** Drops the records of entries that are gone, if there are many. Only for the one agent. */
  async compactRecords(): Promise<void> {
    if (!this.#log.isCompactable) return;
    await this.#log.compact((id) => this.canHold(id) && this.has(id));
  }

  /** Takes over what an earlier version kept in a file `XX/ID.json` for each entry. */
  adoptOldLayout(): void {
    // It moved there what was delivered.
    if (exists(join(this.dir, "trash"))) {
      Deno.removeSync(join(this.dir, "trash"), { recursive: true });
    }
    for (const { dir, names } of this.#shards()) {
      const paths = names.filter((name) => /\.json(\.tmp)?$/.test(name))
        .map((name) => join(dir, name));
      if (paths.length === 0) continue;
      const records = paths
        .map((path) => parseRecord(Deno.readTextFileSync(path)))
        .filter((record) => record !== undefined && this.canHold(record.id));
      this.#log.append(records as SpoolRecord[]);
      paths.forEach(removeIfThere);
    }
  }

  /** The ids of all entries, whole or not, some hundreds or thousands at a time. */
  *ids(): Generator<string[]> {
    for (const { shard, names } of this.#shards()) {
      // Other files, the orphans among them, are no entries.
      yield names.filter((name) => UUID.test(name) && shardOf(name) === shard);
    }
  }

  *#shards(): Generator<{ shard: string; dir: string; names: string[] }> {
    for (const { name: shard, isDirectory } of Deno.readDirSync(this.dir)) {
      if (!isDirectory || shard === ORPHANS) continue;
      const dir = join(this.dir, shard);
      yield { shard, dir, names: [...Deno.readDirSync(dir)].map(nameOf) };
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
    try {
      const { ctime, mtime } = Deno.lstatSync(this.pathOf(id));
      return (ctime ?? mtime)?.getTime() ?? 0;
    } catch {
      return 0;
    }
  }

  /**
   * Sets an entry aside that belongs to no capture, for a person to look at.
   *
   * @param record What is known of it, kept beside it.
   */
  setAside(id: string, record?: SpoolRecord): void {
    const dir = join(this.dir, ORPHANS);
    createPrivateDir(dir);
    const path = this.pathOf(id);
    if (record) {
      const text = new TextEncoder().encode(JSON.stringify(record));
      writeFileDurably(join(dir, `${id}.json`), text);
    }
    Deno.renameSync(path, join(dir, id));
  }

  /** How many files were set aside. */
  orphans(): number {
    try {
      return [...Deno.readDirSync(join(this.dir, ORPHANS))]
        .filter(({ name }) => !name.endsWith(".json")).length;
    } catch {
      return 0;
    }
  }

  /** How many bytes the spool's disk has left for this user. */
  freeBytes(): number {
    return freeBytes(this.dir);
  }
}

function twice(id: string): TypeError {
  return new TypeError(`Cannot keep a capture as "${id}" twice in the spool`);
}

function shardOf(id: string): string {
  return id.slice(-2);
}

function nameOf({ name }: Deno.DirEntry): string {
  return name;
}
