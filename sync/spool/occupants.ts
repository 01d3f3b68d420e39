import { join } from "@std/path";
import { inSpool } from "../host/data_dir.ts";
import { exists, isOutOfRoom, removeIfThere } from "../host/files.ts";
import { openLocked, tryOpenLocked } from "../host/lock.ts";
import { createPrivateDir, createPrivateFile } from "../host/private_files.ts";

/**
 * The processes that work in the spool: each has a file, locked as long as it lives
 * and removed when it is done. A file without a lock shows that its process was
 * killed and may have left something unfinished.
 */
export class Occupants implements Disposable {
  readonly #dir: string;
  #own: { path: string; file: Deno.FsFile } | undefined;
  #isDone = true;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Records that this process works in the spool, until it is disposed of; survives a power cut. */
  enter(): void {
    if (this.#own) return;
    try {
      const path = join(this.#dir, crypto.randomUUID());
      inSpool(this.#dir, () => {
        createPrivateDir(this.#dir);
        createPrivateFile(path);
      });
      this.#own = { path, file: openLocked(path) };
    } catch (error) {
      // A full disk must not prevent removing captures.
      if (!isOutOfRoom(error)) throw error;
    }
  }

  /** Whether a process was killed while it worked in the spool. That is forgotten then. */
  async forgetKilled(): Promise<boolean> {
    if (!exists(this.#dir)) return false;
    let found = false;
    for (const { name } of [...Deno.readDirSync(this.#dir)]) {
      const path = join(this.#dir, name);
      if (path === this.#own?.path) continue;
      using file = await tryOpenLocked(path);
      if (!file) continue;
      removeIfThere(path);
      found = true;
    }
    return found;
  }

  /** Something is left unfinished: this process is to be remembered as one that was killed. */
  leaveUnfinished(): void {
    this.#isDone = false;
  }

  [Symbol.dispose](): void {
    if (!this.#own) return;
    try {
      if (this.#isDone) removeIfThere(this.#own.path);
    } catch {
      // It cannot be reached: the next agent looks for unfinished work.
    }
    this.#own.file.close();
    this.#own = undefined;
  }
}
