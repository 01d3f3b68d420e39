import { inSpool } from "../host/data_dir.ts";
import { dirname, join } from "@std/path";
import { assertOwn } from "../host/data_dir.ts";
import {
  occupantsDir,
  orphansDir,
  RECORDS_FILE,
  SHARD,
} from "../host/data_dir_paths.ts";
import { freeBytes } from "../host/disk_space.ts";
import {
  exists,
  isAbsence,
  isGone,
  removeIfThere,
  statIfThere,
  syncDir,
} from "../host/files.ts";
import { type Folder, openFolder } from "../host/folder.ts";
import type { OpenedFile } from "../host/opened_file.ts";
import { createPrivateDir } from "../host/private_files.ts";
import { identityAt } from "../host/reach.ts";
import { assertHandedOver } from "../upload/capture_file.ts";
import { Occupants } from "./occupants.ts";
import { Orphans } from "./orphans.ts";
import { copyPrivately } from "./private_copy.ts";
import { RecordLog, type SpoolRecord } from "./record_log.ts";

export type { SpoolRecord } from "./record_log.ts";

/** The suffix of copies that are not complete. */
const PART = ".part";
/** How often a copy is made anew that somebody has removed before it was complete. */
const MAX_COPIES = 3;
/** Younger entries may belong to an `enqueue` under way, in milliseconds. */
const IN_THE_MAKING_MS = 600_000;
/** The ids that entries can have. No other text becomes part of a path. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * The agent's own copies of captures: `XX/ID` holds the bytes, the log
 * `records.jsonl` a record of each. `XX` are the last two characters of the id,
 * so that no directory grows beyond what can be listed at once.
 *
 * An entry shares its bytes with no file that anybody else could write to. One
 * that is not in the log is not whole.
 */
export class Spool implements Disposable {
  readonly dir: string;
  readonly occupants: Occupants;
  readonly orphans: Orphans;
  readonly #log: RecordLog;

  /**
   * @param dir Is created for this user alone.
   * @throws {Error} if it belongs to another user.
   */
  constructor(dir: string) {
    this.dir = dir;
    this.#log = new RecordLog(join(dir, RECORDS_FILE));
    this.orphans = new Orphans(orphansDir(dir));
    this.occupants = new Occupants(occupantsDir(dir));
    createPrivateDir(dir);
    assertOwn(dir);
  }

  /** @throws {UnreachableError} if nobody may look into it now, or its disk does not answer. */
  assertReachable(): void {
    identityAt(join(this.dir, RECORDS_FILE));
  }

  /** Whether an entry can have this id. */
  canHold(id: string): boolean {
    return UUID.test(id);
  }

  /**
   * The path of a capture's bytes.
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
   * Copies a file as {@linkcode copyPrivately} does and returns the SHA-256 of its
   * bytes. They are on the disk then; their name only after {@linkcode Spool.commit}.
   * A copy that fails leaves nothing.
   *
   * @param options `sha256` is the hash that the bytes must have.
   * @throws {TypeError} if the id is no UUID, or has an entry already.
   * @throws {CaptureFileError} if the bytes have another hash.
   * @throws as {@linkcode copyPrivately} does.
   */
  async addFile(
    id: string,
    file: OpenedFile,
    options: { beforeCopy?: () => void; sha256?: string | undefined } = {},
  ): Promise<string> {
    const path = this.pathOf(id);
    inSpool(this.dir, () => createPrivateDir(dirname(path)));
    if (exists(path)) {
      throw new TypeError(
        `Cannot keep a capture as "${id}" twice in the spool`,
      );
    }
    // Under another name, as the agent may send an entry at any time.
    const part = path + PART;
    for (let tries = 1;; tries++) {
      removeIfThere(part);
      try {
        const sha256 = await copyPrivately(file, part, options);
        assertHandedOver(file, options, { actual: sha256, verb: "copy" });
        Deno.renameSync(part, path);
        return sha256;
      } catch (error) {
        // By a clock that was set meanwhile it may seem to be left by a crash.
        const isTaken = isGone(error) && !exists(part);
        if (isTaken && tries < MAX_COPIES) continue;
        removeIfThere(part);
        throw error;
      }
    }
  }

  /** Opens the folder that an entry is in, or will be. */
  folderOf(id: string): Folder {
    const dir = dirname(this.pathOf(id));
    inSpool(this.dir, () => createPrivateDir(dir));
    return openFolder(dir);
  }

  /** Completes entries: their records and their names are on the disk afterwards. */
  commit(records: SpoolRecord[]): void {
    for (const { id } of records) this.pathOf(id);
    this.#log.append(records);
    this.#syncNames(records.map(({ id }) => id));
  }

  #syncNames(ids: string[]): void {
    for (const shard of new Set(ids.map(shardOf))) {
      const dir = join(this.dir, shard);
      if (exists(dir)) syncDir(dir);
    }
  }

  /** Removes entries for good: a power cut does not bring them back. One that is not there is fine. */
  remove(ids: string[]): void {
    for (const id of ids) removeIfThere(this.pathOf(id));
    this.#syncNames(ids);
  }

  /** Removes the entry of a delivered capture. A disk may take long to free a large one. */
  async removeDelivered(id: string): Promise<void> {
    const path = this.pathOf(id);
    try {
      await Deno.remove(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      this.occupants.leaveUnfinished();
      throw error;
    }
  }

  /** The records of all entries, and of some that are gone; some at a time. */
  records(): AsyncGenerator<SpoolRecord[]> {
    return this.#log.read();
  }

  /** Drops the records of entries that are gone, if there are many. Only for the one agent. */
  async compactRecords(): Promise<void> {
    this.assertReachable();
    if (!this.#log.isCompactable) return;
    const nowMs = Date.now();
    await this.#log.compact(({ id, createdAtMs }) =>
      this.canHold(id) && (
        this.sizeOf(id) !== undefined ||
        // The record of a file that is moved in comes first.
        Math.abs(nowMs - createdAtMs) < IN_THE_MAKING_MS
      )
    );
  }

  /**
   * The ids of all entries, with a record or without, some hundreds or thousands at a
   * time. Removes on the way the unfinished copies that a crash has left.
   */
  *ids({ nowMs = Date.now() } = {}): Generator<string[]> {
    for (const { name: shard, isDirectory } of Deno.readDirSync(this.dir)) {
      if (!isDirectory || !SHARD.test(shard)) continue;
      const names = [...Deno.readDirSync(join(this.dir, shard))]
        .map(({ name }) => name);
      names.filter((name) => name.endsWith(PART))
        .map((name) => join(this.dir, shard, name))
        .filter((path) => !isYoung(path, nowMs)).forEach(removeIfThere);
      yield names.filter((name) => UUID.test(name) && shardOf(name) === shard);
    }
  }

  /** How many bytes an entry has; `undefined` if it is not there. Throws if that cannot be told now. */
  sizeOf(id: string): number | undefined {
    if (!this.canHold(id)) return undefined;
    try {
      const { isFile, size } = Deno.lstatSync(this.pathOf(id));
      return isFile ? size : undefined;
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
  }

  /** Whether an entry is so young that an `enqueue` under way may be about to complete it. */
  isInTheMaking(id: string, nowMs: number): boolean {
    return isYoung(this.pathOf(id), nowMs);
  }

  /**
   * Moves an entry that belongs to no capture to the orphans, for a person.
   *
   * @param record Kept beside it, if it is known.
   */
  moveToOrphans(id: string, record?: SpoolRecord): void {
    this.orphans.take(this.pathOf(id), id, record);
  }

  /** How many bytes the spool's disk has left for this user. */
  freeBytes(): number {
    return freeBytes(this.dir);
  }

  [Symbol.dispose](): void {
    this.occupants[Symbol.dispose]();
  }
}

/** By the time of its last change that nobody can set: the other one is the original's. */
function isYoung(path: string, nowMs: number): boolean {
  const info = statIfThere(path);
  const changedMs = (info?.ctime ?? info?.mtime)?.getTime() ?? 0;
  // A clock that was set back makes nothing young.
  return Math.abs(nowMs - changedMs) <= IN_THE_MAKING_MS;
}

function shardOf(id: string): string {
  return id.slice(-2);
}
