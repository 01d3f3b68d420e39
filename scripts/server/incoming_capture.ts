/** A capture on its way to disk: written, hashed and counted as it arrives. */

import { createHash } from "node:crypto";

const WRITE_BYTES = 1024 * 1024;
const SYNC_EVERY_BYTES = 64 * 1024 * 1024;

/**
 * Takes a capture of any length in a few MiB of memory.
 *
 * Dispose of it in any case: unless it was moved by then, its file is removed.
 */
export class IncomingCapture implements AsyncDisposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #fsync: boolean;
  readonly #hash = createHash("sha256");
  #size = 0;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #unsyncedBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #open = true;
  #moved = false;

  private constructor(path: string, file: Deno.FsFile, fsync: boolean) {
    this.#path = path;
    this.#file = file;
    this.#fsync = fsync;
  }

  /** Begins a new file at `path`, readable by this user only. */
  static async create(path: string, fsync: boolean): Promise<IncomingCapture> {
    const file = await Deno.open(path, {
      write: true,
      createNew: true,
      mode: 0o600,
    });
    return new IncomingCapture(path, file, fsync);
  }

  /** Takes the next bytes, which must not change afterwards. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#size += bytes.length;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= WRITE_BYTES) await this.#startWriting();
  }

  /** Waits until everything is in the file, and on disk if that was asked for. */
  async finish(): Promise<{ size: number; sha256: string }> {
    if (this.#waitingBytes > 0) await this.#startWriting();
    await this.#writing;
    if (this.#fsync) await this.#file.syncData();
    this.#close();
    return { size: this.#size, sha256: this.#hash.digest("hex") };
  }

  /** Gives the finished file its final name. Another file there is replaced. */
  async moveTo(path: string): Promise<void> {
    await Deno.rename(this.#path, path);
    this.#moved = true;
  }

  /** Closes the file and removes it, unless it was moved. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing.catch(() => {});
    this.#close();
    if (!this.#moved) await Deno.remove(this.#path);
  }

  /** Writes while the next bytes arrive, one write at a time. */
  async #startWriting(): Promise<void> {
    const bytes = joined(this.#waiting, this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    await this.#writing;
    this.#writing = this.#writeAll(bytes);
    // Its error is for whoever awaits it next; until then it is not unhandled.
    this.#writing.catch(() => {});
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#file.write(bytes.subarray(at));
    }
    this.#unsyncedBytes += bytes.length;
    // On the way, so that the sender need not wait long for its answer at the end.
    if (this.#fsync && this.#unsyncedBytes >= SYNC_EVERY_BYTES) {
      this.#unsyncedBytes = 0;
      await this.#file.syncData();
    }
  }

  #close(): void {
    if (this.#open) this.#file.close();
    this.#open = false;
  }
}

function joined(parts: Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
