import { counted } from "../host/counted.ts";
import { isOutOfRoom, isTooLarge } from "../host/files.ts";
import { hasFault } from "../queue/sqlite.ts";
import type { UploadQueue } from "../queue/queue.ts";
import type { Spool } from "./spool.ts";

/** There is no room for the capture: a later time may be better. */
export class NoRoomError extends Error {
  override name = "NoRoomError";
}

export interface RoomOptions {
  /**
   * The most that the spool may hold, in bytes.
   *
   * @default {Infinity}
   */
  maxSpoolBytes?: number;
  /**
   * The free space that must be left on the disk, in bytes: below it SQLite itself
   * runs out of room.
   *
   * @default {268435456}
   */
  minFreeBytes?: number;
}

/** The default of {@linkcode RoomOptions.minFreeBytes}: 256 MiB. */
export const MIN_FREE_BYTES = 256 * 1024 * 1024;

/** Copies of watched files take at most one part in this many of the disk's free room. */
const WATCHED_SHARE = 10;

/** Decides whether there is room for a capture, in the spool and on its disk. */
export class Room {
  readonly #queue: Pick<UploadQueue, "spooledBytes">;
  readonly #spool: Pick<Spool, "freeBytes">;
  readonly #maxSpoolBytes: number;
  readonly #minFreeBytes: number;
  /** In the spool already, but without a row: in bytes. */
  #uncommittedBytes = 0;

  constructor(
    queue: Pick<UploadQueue, "spooledBytes">,
    spool: Pick<Spool, "freeBytes">,
    options: RoomOptions,
  ) {
    this.#queue = queue;
    this.#spool = spool;
    this.#maxSpoolBytes = options.maxSpoolBytes ?? Infinity;
    this.#minFreeBytes = options.minFreeBytes ?? MIN_FREE_BYTES;
  }

  /** @throws {NoRoomError} if the spool may not hold so many bytes more. */
  assertInSpool(size: number): void {
    const used = this.#usedBytes();
    if (used + size <= this.#maxSpoolBytes) return;
    throw new NoRoomError(
      `Cannot take a capture of ${
        counted(size, "byte")
      }: the spool holds ${used} bytes ` +
        `and at most ${this.#maxSpoolBytes} are allowed`,
    );
  }

  /**
   * @param size In bytes; 0 for a file that takes no room of its own, or may not.
   * @throws {NoRoomError} if the disk would have too little left.
   */
  assertOnDisk(size: number): void {
    const free = this.#spool.freeBytes();
    if (free - size >= this.#minFreeBytes) return;
    const taken = size === 0 ? "" : ` of ${counted(size, "byte")}`;
    throw new NoRoomError(
      `Cannot take a capture${taken}: the disk has ${free} bytes left ` +
        `and ${this.#minFreeBytes} must stay free`,
    );
  }

  /**
   * The copies that exist count as free room, so that the share does not shrink with
   * each copy, nor is taken anew each time.
   *
   * @throws {NoRoomError} if copies of watched files would take more than their share.
   */
  assertForWatched(size: number): void {
    const used = this.#usedBytes("watched");
    const share = (this.#spool.freeBytes() + used) / WATCHED_SHARE;
    if (used + size <= share) return;
    throw new NoRoomError(
      `Cannot copy a watched file of ${
        counted(size, "byte")
      }: copies may take ${
        Math.floor(share)
      } bytes of the disk and have ${used}`,
    );
  }

  /** Counts bytes that are in the spool and have no row yet. */
  taken(size: number): void {
    this.#uncommittedBytes += size;
  }

  /** Counts bytes that have got their row, or have left the spool. */
  committed(size: number): void {
    this.#uncommittedBytes -= size;
  }

  #usedBytes(which: "all" | "watched" = "all"): number {
    return this.#queue.spooledBytes(which) + this.#uncommittedBytes;
  }
}

/** Throws an error again, as a {@linkcode NoRoomError} if there is no room. */
export function asNoRoom(error: unknown): never {
  if (!isOutOfRoom(error) && !hasFault(error, "full")) throw error;
  const reason = isTooLarge(error)
    ? "a file as large as its copy may not be written here (EFBIG)"
    : "the disk is full";
  throw new NoRoomError(`Cannot take a capture: ${reason}`, { cause: error });
}
