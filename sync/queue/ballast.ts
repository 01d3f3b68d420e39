import { dirname, resolve } from "@std/path";
import { freeBytes } from "../host/disk_space.ts";
import { writeAll } from "../host/files.ts";
import { createPrivateFile } from "../host/private_files.ts";
import { tryTo } from "../host/try_to.ts";

/** At most one in so many free bytes is taken. */
const SHARE = 4;
/** A smaller file is of no use, in bytes. */
const LEAST_BYTES = 1024 * 1024;
/** How long after giving it up it is not taken again, in milliseconds. */
const WAIT_MS = 60_000;
const CHUNK_BYTES = 64 * 1024;

/**
 * Room on the disk that is kept for the queue alone: a file that is given up
 * when something else has filled the disk, so that captures can still be marked,
 * delivered and removed.
 */
export class Ballast {
  /** The size of the file where there is plenty of room. */
  readonly bytes: number;
  readonly #path: string;
  #notBefore = 0;
  /** The size of the file that was given up last. */
  #givenUp = 0;

  constructor(path: string, bytes: number) {
    this.bytes = bytes;
    this.#path = path;
  }

  /**
   * Takes the room, unless it is held, was given up in the last minute, or little is
   * free. On a small disk it is less; but once it was given up, all of it or none.
   */
  take(): void {
    if (performance.now() < this.#notBefore) return;
    this.#notBefore = performance.now() + WAIT_MS;
    if (this.held > 0) return;
    try {
      const bytes = Math.min(this.bytes, Math.floor(this.#freeBytes / SHARE));
      const least = this.#givenUp > 0 ? this.bytes : LEAST_BYTES;
      if (bytes >= Math.min(least, this.bytes)) this.#fill(bytes);
    } catch {
      // Everything works without it until the disk is full.
      this.drop();
    }
  }

  /** Gives the room back; returns whether there was any. */
  drop(): boolean {
    const { held } = this;
    this.#notBefore = performance.now() + WAIT_MS;
    try {
      Deno.removeSync(this.#path);
      this.#givenUp = held;
      return held > 0;
    } catch {
      return false;
    }
  }

  /** How many bytes the file has. */
  get held(): number {
    return tryTo(() => Deno.statSync(this.#path).size) ?? 0;
  }

  /** How many bytes were given up, or would be. */
  get room(): number {
    return this.#givenUp || this.held || this.bytes;
  }

  /** Whether less is free than the size of the reserve. */
  get isNeeded(): boolean {
    return this.#freeBytes < this.bytes;
  }

  // Of the folder: the file itself may not exist.
  get #freeBytes(): number {
    return freeBytes(dirname(resolve(this.#path)));
  }

  #fill(bytes: number): void {
    createPrivateFile(this.#path);
    using file = Deno.openSync(this.#path, { write: true, truncate: true });
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let at = 0; at < bytes; at += CHUNK_BYTES) {
      // Zeros would take no room where the file system compresses.
      crypto.getRandomValues(chunk);
      writeAll(file, chunk);
    }
    // Some file systems find out only now whether there is room.
    file.syncDataSync();
  }
}
