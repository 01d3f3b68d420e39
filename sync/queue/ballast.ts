import { dirname, resolve } from "@std/path";
import { freeBytes } from "../host/disk_space.ts";
import { writeAll } from "../host/files.ts";
import { createPrivateFile } from "../host/private_files.ts";

/** The file is made only where this many times its size is free. */
const PLENTY = 4;
/** How long after giving it up it is not taken again, in milliseconds. */
const WAIT_MS = 60_000;
const CHUNK_BYTES = 64 * 1024;

/**
 * Room on the disk that is kept for the queue alone: a file that is given up
 * when something else has filled the disk, so that captures can still be marked,
 * delivered and removed.
 */
export class Ballast {
  /** The size of the file. */
  readonly bytes: number;
  readonly #path: string;
  #notBefore = 0;

  constructor(path: string, bytes: number) {
    this.bytes = bytes;
    this.#path = path;
  }

  /** Takes the room, unless it is held, was given up in the last minute, or little is free. */
  take(): void {
    if (performance.now() < this.#notBefore) return;
    this.#notBefore = performance.now() + WAIT_MS;
    if (this.isHeld) return;
    try {
      if (this.#freeBytes >= PLENTY * this.bytes) this.#fill();
    } catch {
      // Everything works without it until the disk is full.
      this.drop();
    }
  }

  /** Gives the room back; returns whether there was any. */
  drop(): boolean {
    const { isHeld } = this;
    this.#notBefore = performance.now() + WAIT_MS;
    try {
      Deno.removeSync(this.#path);
      return isHeld;
    } catch {
      return false;
    }
  }

  get isHeld(): boolean {
    try {
      return Deno.statSync(this.#path).size > 0;
    } catch {
      return false;
    }
  }

  /** Whether less is free than the size of the reserve. */
  get isNeeded(): boolean {
    return this.#freeBytes < this.bytes;
  }

  // Of the folder: the file itself may not exist.
  get #freeBytes(): number {
    return freeBytes(dirname(resolve(this.#path)));
  }

  #fill(): void {
    createPrivateFile(this.#path);
    using file = Deno.openSync(this.#path, { write: true, truncate: true });
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let at = 0; at < this.bytes; at += CHUNK_BYTES) {
      // Zeros would take no room where the file system compresses.
      crypto.getRandomValues(chunk);
      writeAll(file, chunk);
    }
    // Some file systems find out only now whether there is room.
    file.syncDataSync();
  }
}
