import { dirname, resolve } from "@std/path";
import { createPrivateFile } from "../host/data_dir.ts";
import { freeBytes } from "../host/disk_space.ts";
import { writeAll } from "../host/files.ts";

/** So many times the reserve must be free for it to be taken. */
const PLENTY = 4;
/** How long after it was given up it is first tried to be taken again, in milliseconds. */
const WAIT_MS = 60_000;
const CHUNK_BYTES = 64 * 1024;

/**
 * Room on the disk that is kept for the queue alone: a file that is given up
 * when something else has filled the disk, so that captures can still be marked,
 * delivered and removed.
 */
export class Ballast {
  /** How much it is when it is taken. */
  readonly bytes: number;
  readonly #path: string;
  #notBefore = 0;

  constructor(path: string, bytes: number) {
    this.bytes = bytes;
    this.#path = path;
  }

  /** Takes the room, unless it is taken, was given up a moment ago, or the disk is rather full. */
  take(): void {
    if (performance.now() < this.#notBefore) return;
    this.#notBefore = performance.now() + WAIT_MS;
    if (this.isHeld) return;
    try {
      if (this.#freeBytes >= PLENTY * this.bytes) this.#fill();
    } catch {
      // Without it everything works until the disk is full, which it may be now.
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

  /** Whether the disk is as good as full. */
  get isNeeded(): boolean {
    return this.#freeBytes < this.bytes;
  }

  /** The file itself may not be there. */
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
