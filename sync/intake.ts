/**
 * How a capture is handed over, and how one leaves: the order of every step
 * that touches the disk. A crash between any two of them loses nothing and
 * stores nothing twice.
 *
 * Handing over (`enqueue` has not returned yet; the maker still has the file):
 *
 * 1. `spool-file`    the bytes are linked or copied into the spool, and fsynced
 * 2. `spool-record`  the record is written, fsynced, renamed; the directory is fsynced
 * 3. `row`           the row is committed with `synchronous=FULL`: now it is kept
 *
 * After a crash behind 1 the entry has no record: it is set aside as an orphan.
 * Behind 2 the record without a row is taken up by the next agent.
 *
 * Delivering (in the agent):
 *
 * 4. `answered`      the server has answered 2xx
 * 5. `settled`       the row is moved to the ledger, committed
 * 6. `spool-removed` the spool entry is removed; a watched original is deleted or moved
 *
 * After a crash behind 4 the upload is repeated with the same key. Behind 5 the
 * record is of a capture in the ledger: the next agent removes the entry.
 *
 * Removing on request: the record is unlinked, the row is deleted and
 * committed, the bytes are unlinked. A crash in between leaves a capture that is
 * still queued, or an orphan.
 *
 * @module
 */

import { resolve } from "@std/path";
import { reached } from "./fault_point.ts";
import { encodeMetadata, type Metadata } from "./metadata.ts";
import type { NewCapture, UploadQueue } from "./queue.ts";
import { CaptureFileError } from "./outcome.ts";
import { type Spool, type SpooledFile, statCapture } from "./spool.ts";

/** Options for {@linkcode Intake}. */
export interface IntakeOptions {
  /**
   * The most that the spool may hold, in bytes.
   *
   * @default {Infinity}
   */
  maxSpoolBytes?: number;
  /**
   * What the disk must have left afterwards, in bytes: below it SQLite itself
   * runs out of room.
   *
   * @default {268435456}
   */
  minFreeBytes?: number;
}

/** Options for {@linkcode Intake.add}. */
export interface AddOptions {
  /**
   * Whether to keep a copy in the spool. Without one, the file must stay where
   * it is, unchanged, until it is delivered.
   *
   * @default {true}
   */
  copy?: boolean;
  /** @default {crypto.randomUUID()} */
  id?: string;
}

/** A finished file of a watched folder. */
export interface WatchedFile extends SpooledFile {
  path: string;
  metadata: Metadata;
}

/** There is no room for the capture: a later time may be better. */
export class NoRoomError extends Error {
  override name = "NoRoomError";
}

/** The default of {@linkcode IntakeOptions.minFreeBytes}: 256 MiB. */
export const MIN_FREE_BYTES = 256 * 1024 * 1024;

/** Takes captures over: what it returned an id for is kept. */
export class Intake {
  readonly #queue: UploadQueue;
  readonly #spool: Spool;
  readonly #maxSpoolBytes: number;
  readonly #minFreeBytes: number;

  constructor(queue: UploadQueue, spool: Spool, options: IntakeOptions = {}) {
    this.#queue = queue;
    this.#spool = spool;
    this.#maxSpoolBytes = options.maxSpoolBytes ?? Infinity;
    this.#minFreeBytes = options.minFreeBytes ?? MIN_FREE_BYTES;
  }

  /**
   * Takes a file over and returns its id; it may be deleted then.
   *
   * @throws {CaptureFileError} if the file is gone, unreadable, or not a regular file.
   * @throws {TypeError | RangeError} if the metadata cannot be used.
   * @throws {NoRoomError} if the spool or its disk is too full; nothing was done.
   */
  async add(
    path: string,
    metadata: Metadata,
    options: AddOptions = {},
  ): Promise<string> {
    const filepath = resolve(path);
    const file = statCapture(filepath);
    const id = options.id ?? crypto.randomUUID();
    if (options.copy ?? true) {
      const entry = await this.#spoolFile({
        id,
        filepath,
        metadata,
        size: file.size,
      });
      this.#commit([{ ...entry, watched: false }]);
    } else {
      this.#queue.enqueueMany([{ id, filepath, metadata, ...file }]);
    }
    return id;
  }

  /**
   * Takes bytes over that are in memory and returns the capture's id.
   *
   * @throws as {@linkcode Intake.add} does.
   */
  addBytes(data: Uint8Array, filename: string, metadata: Metadata): string {
    const metadataJson = encodeMetadata(metadata);
    this.#assertRoom(data.length);
    const id = crypto.randomUUID();
    const file = this.#spool.addBytes(id, data);
    reached("spool-file");
    return this.#commit([
      {
        id,
        filepath: filename,
        metadata,
        metadataJson,
        watched: false,
        ...file,
      },
    ])[0]!;
  }

  /**
   * Takes finished files of a watched folder over, and returns how many.
   *
   * @throws {NoRoomError} if the spool or its disk is too full.
   */
  async addWatched(files: WatchedFile[], options: AddOptions): Promise<number> {
    const inPlace: NewCapture[] = [];
    const spooled: SpooledCapture[] = [];
    for (const { path: filepath, metadata, size, mtimeMs } of files) {
      const capture = {
        id: crypto.randomUUID(),
        filepath,
        metadata,
        watched: true,
      };
      try {
        if (!options.copy) inPlace.push({ ...capture, size, mtimeMs });
        else {spooled.push({
            ...await this.#spoolFile({ ...capture, size }),
            watched: true,
          });}
      } catch (error) {
        // One that cannot be read must show, and must not hold up the others.
        if (!(error instanceof CaptureFileError)) throw error;
        inPlace.push({ ...capture, size, mtimeMs });
      }
    }
    if (spooled.length > 0) this.#commit(spooled);
    if (inPlace.length > 0) this.#queue.enqueueMany(inPlace);
    return files.length;
  }

  /** Removes captures with their copies, undelivered, and returns the ids of those it found. */
  remove(ids: string[]): string[] {
    const spooled = ids.filter((id) => this.#queue.get(id)?.spooled);
    for (const id of spooled) this.#spool.removeRecord(id);
    const removed = this.#queue.remove(ids);
    for (const id of spooled) this.#spool.remove(id);
    return removed;
  }

  /** Removes captures that failed more than `days` days ago, with their copies. */
  cleanup(days: number): string[] {
    return this.remove(this.#queue.oldFailed(days));
  }

  async #spoolFile(
    capture: { id: string; filepath: string; metadata: Metadata; size: number },
  ): Promise<Omit<SpooledCapture, "watched">> {
    const metadataJson = encodeMetadata(capture.metadata);
    this.#assertRoom(capture.size);
    const file = await this.#spool.addFile(capture.id, capture.filepath);
    reached("spool-file");
    return { ...capture, metadataJson, ...file };
  }

  #commit(entries: SpooledCapture[]): string[] {
    const createdAtMs = Date.now();
    this.#spool.commit(
      entries.map(({ metadata: _, ...entry }) => ({ ...entry, createdAtMs })),
    );
    reached("spool-record");
    const ids = this.#queue.enqueueMany(
      entries.map((entry) => ({ ...entry, createdAtMs, spooled: true })),
    );
    reached("row");
    return ids;
  }

  #assertRoom(size: number): void {
    const free = this.#spool.freeBytes();
    if (free - size < this.#minFreeBytes) {
      throw new NoRoomError(
        `Cannot take a capture of ${size} bytes: the disk has ${free} bytes left ` +
          `and ${this.#minFreeBytes} must stay free`,
      );
    }
    if (this.#maxSpoolBytes === Infinity) return;
    const used = this.#queue.spooledBytes();
    if (used + size > this.#maxSpoolBytes) {
      throw new NoRoomError(
        `Cannot take a capture of ${size} bytes: the spool holds ${used} bytes ` +
          `and at most ${this.#maxSpoolBytes} are allowed`,
      );
    }
  }
}

interface SpooledCapture extends SpooledFile {
  id: string;
  filepath: string;
  metadata: NewCapture["metadata"];
  metadataJson: string;
  watched: boolean;
}
