/** A capture on its way to disk: written, hashed and counted as it arrives. */

import { createHash } from "node:crypto";

const SYNC_EVERY_BYTES = 64 * 1024 * 1024;

/**
 * Takes a capture of any length, without keeping it in memory.
 *
 * Dispose of it in any case: unless it was moved by then, its file is removed.
 */
export class IncomingCapture implements AsyncDisposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #fsync: boolean;
  readonly #hash = createHash("sha256");
  #size = 0;
  #unsyncedBytes = 0;
  #isOpen = true;
  #isMoved = false;

  private constructor(path: string, file: Deno.FsFile, fsync: boolean) {
    this.#path = path;
    this.#file = file;
    this.#fsync = fsync;
  }

  /** Begins a new file at `path`, readable by this user only. */
  static async create(path: string, fsync: boolean): Promise<IncomingCapture> {
    const options = { write: true, createNew: true, mode: 0o600 };
    return new IncomingCapture(path, await Deno.open(path, options), fsync);
  }

  /** Takes the next bytes. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    for (let at = 0; at < bytes.length;) {
      at += await this.#file.write(bytes.subarray(at));
    }
    this.#size += bytes.length;
    this.#unsyncedBytes += bytes.length;
    // On the way, so that the sender need not wait long for its answer at the end.
    if (this.#unsyncedBytes >= SYNC_EVERY_BYTES) await this.#sync();
  }

  /** Waits until everything is in the file, and on disk if that was asked for. */
  async finish(): Promise<{ size: number; sha256: string }> {
    await this.#sync();
    this.#close();
    return { size: this.#size, sha256: this.#hash.digest("hex") };
  }

  /** Gives the finished file its final name. Another file there is replaced. */
  async moveTo(path: string): Promise<void> {
    await Deno.rename(this.#path, path);
    this.#isMoved = true;
  }

  /** Closes the file and removes it, unless it was moved. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    if (!this.#isMoved) await Deno.remove(this.#path);
  }

  async #sync(): Promise<void> {
    this.#unsyncedBytes = 0;
    if (this.#fsync) await this.#file.syncData();
  }

  #close(): void {
    if (this.#isOpen) this.#file.close();
    this.#isOpen = false;
  }
}
