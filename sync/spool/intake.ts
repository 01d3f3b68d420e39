/**
 * How a capture is handed over, and how one leaves: the order of every step
 * that touches the disk. A crash between any two of them loses nothing and
 * stores nothing twice.
 *
 * Handing over (`enqueue` has not returned yet; the maker still has the file):
 *
 * 1. `spool-file`    the bytes are linked or copied into the spool, and fsynced
 * 2. `spool-record`  the record is in the log, and its directory's names are, fsynced
 * 3. `row`           the row is committed with `synchronous=FULL`: now it is kept
 *
 * After a crash behind 1 the entry has no record: it is set aside as an orphan.
 * Behind 2 the record without a row is taken up by the next agent.
 *
 * Delivering (in the agent):
 *
 * 4. `answered`        the server has answered 2xx
 * 5. `settled`         the row is moved to the ledger, committed
 * 6. `spool-removed`   the bytes are gone; then a watched original is deleted or moved
 *
 * After a crash behind 4 the upload is repeated with the same key. Behind 5 the
 * entry is of a capture in the ledger: the next agent removes it, and deletes or
 * moves a watched original when it comes across it.
 *
 * Removing on request:
 *
 * 7. `row-removed`     the rows are deleted, committed
 * 8. `bytes-removed`   the bytes are unlinked; their directories are fsynced
 *
 * After a crash behind 7 the capture is taken up again, as if nobody had asked to
 * remove it: nobody was told that it is gone.
 *
 * @module
 */

import { resolve } from "@std/path";
import { newCaptureId } from "../capture/capture_id.ts";
import { hasFault } from "../queue/database_error.ts";
import { isOutOfRoom } from "../host/files.ts";
import { reached } from "../host/fault_point.ts";
import { encodeMetadata, type Metadata } from "../capture/metadata.ts";
import type { NewCapture, UploadQueue } from "../queue/queue.ts";
import { CaptureFileError } from "../capture/errors.ts";
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
  /** @default {a new UUID, greater than those before} */
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
  /** In the spool already, but without a row. */
  #uncommittedBytes = 0;

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
   * @throws {NoRoomError} if the spool or its disk is too full. Whatever is
   * thrown, nothing was done.
   */
  async add(
    path: string,
    metadata: Metadata,
    options: AddOptions = {},
  ): Promise<string> {
    const { id = newCaptureId(), copy = true } = options;
    const filepath = resolve(path);
    const file = statCapture(filepath);
    const capture = { id, filepath, metadata, watched: false };
    if (copy) this.#commit([await this.#spoolFile(capture, file.size)]);
    else this.#enqueue([{ ...capture, ...file }]);
    return id;
  }

  /**
   * Takes bytes over that are in memory and returns the capture's id.
   *
   * @throws as {@linkcode Intake.add} does.
   */
  addBytes(data: Uint8Array, filename: string, metadata: Metadata): string {
    const id = newCaptureId();
    const capture = { id, filepath: filename, metadata, watched: false };
    const metadataJson = encodeMetadata(metadata);
    this.#assertRoomInSpool(data.length);
    this.#assertRoomOnDisk(data.length);
    const file = withRoom(() => this.#spool.addBytes(id, data));
    this.#commit([this.#spooled({ ...capture, metadataJson, ...file })]);
    return id;
  }

  /**
   * Takes finished files of a watched folder over, and returns how many.
   *
   * @throws {NoRoomError} if the spool or its disk is too full: then some may be
   * taken over, the others not at all.
   */
  async addWatched(files: WatchedFile[], options: AddOptions): Promise<number> {
    const { copy = true } = options;
    const inPlace: NewCapture[] = [];
    const spooled: SpooledCapture[] = [];
    let failure: unknown;
    for (const { path: filepath, metadata, size, mtimeMs } of files) {
      const capture = { filepath, metadata, watched: true };
      try {
        if (copy) {
          const id = newCaptureId();
          spooled.push(await this.#spoolFile({ id, ...capture }, size));
        } else inPlace.push({ ...capture, size, mtimeMs });
      } catch (error) {
        if (!(error instanceof CaptureFileError)) {
          // What is in the spool by now must get its rows, or it would be in
          // there once more with every further attempt.
          failure = error;
          break;
        }
        // One that cannot be read must show, and must not hold up the others.
        inPlace.push({ ...capture, size, mtimeMs });
      }
    }
    if (spooled.length > 0) this.#commit(spooled);
    if (inPlace.length > 0) this.#enqueue(inPlace);
    if (failure !== undefined) throw failure;
    return files.length;
  }

  /** Removes captures with their copies, undelivered, and returns the ids of those it found. */
  remove(ids: string[]): string[] {
    const spooled = ids.filter((id) =>
      this.#queue.get(id)?.spooled && this.#spool.canHold(id)
    );
    const removed = this.#queue.remove(ids);
    reached("row-removed");
    this.#spool.removeDurably(spooled);
    reached("bytes-removed");
    // An agent that starts just now may have taken them up again in between.
    if (spooled.length > 0) this.#queue.remove(spooled);
    return removed;
  }

  /** Removes captures that failed more than `days` days ago, with their copies. */
  cleanup(days: number): string[] {
    return this.remove(this.#queue.oldFailed(days));
  }

  async #spoolFile(
    capture: {
      id: string;
      filepath: string;
      metadata: Metadata;
      watched: boolean;
    },
    size: number,
  ): Promise<SpooledCapture> {
    const { id, filepath, metadata } = capture;
    const metadataJson = encodeMetadata(metadata);
    this.#assertRoomInSpool(size);
    // A link takes no room but for its record and its row.
    this.#assertRoomOnDisk(0);
    const beforeCopy = () => this.#assertRoomOnDisk(size);
    const file = await this.#spool.addFile(id, filepath, { beforeCopy })
      .catch(asNoRoom);
    return this.#spooled({ ...capture, metadataJson, ...file });
  }

  #spooled(capture: SpooledCapture): SpooledCapture {
    this.#uncommittedBytes += capture.size;
    reached("spool-file");
    return capture;
  }

  #commit(captures: SpooledCapture[]): void {
    const createdAtMs = Date.now();
    try {
      this.#spool.commit(
        captures.map(({ metadata: _, ...record }) => ({
          ...record,
          createdAtMs,
        })),
      );
      reached("spool-record");
      this.#enqueue(
        captures.map((capture) => ({ ...capture, createdAtMs, spooled: true })),
      );
    } catch (error) {
      captures.forEach(({ id }) => this.#takeBack(id));
      return asNoRoom(error);
    } finally {
      for (const { size } of captures) this.#uncommittedBytes -= size;
    }
  }

  #enqueue(captures: NewCapture[]): void {
    withRoom(() => this.#queue.enqueueMany(captures));
    reached("row");
  }

  /** What is not taken over must not be taken up later either. */
  #takeBack(id: string): void {
    try {
      if (this.#queue.get(id)) return;
      this.#spool.removeDurably([id]);
    } catch {
      // Whether it is queued cannot be said: it could be the only copy.
    }
  }

  #assertRoomOnDisk(size: number): void {
    const free = this.#spool.freeBytes();
    if (free - size >= this.#minFreeBytes) return;
    throw new NoRoomError(
      `Cannot take a capture of ${size} bytes: the disk has ${free} bytes left ` +
        `and ${this.#minFreeBytes} must stay free`,
    );
  }

  #assertRoomInSpool(size: number): void {
    if (this.#maxSpoolBytes === Infinity) return;
    const used = this.#queue.spooledBytes() + this.#uncommittedBytes;
    if (used + size <= this.#maxSpoolBytes) return;
    throw new NoRoomError(
      `Cannot take a capture of ${size} bytes: the spool holds ${used} bytes ` +
        `and at most ${this.#maxSpoolBytes} are allowed`,
    );
  }
}

interface SpooledCapture extends SpooledFile {
  id: string;
  filepath: string;
  metadata: Metadata;
  metadataJson: string;
  watched: boolean;
}

function withRoom<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    return asNoRoom(error);
  }
}

/** Throws an error again, as a {@linkcode NoRoomError} if that is what it means. */
function asNoRoom(error: unknown): never {
  if (!isOutOfRoom(error) && !hasFault(error, "full")) throw error;
  throw new NoRoomError("Cannot take a capture: the disk is full", {
    cause: error,
  });
}
