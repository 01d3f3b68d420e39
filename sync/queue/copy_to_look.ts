import { basename, join } from "@std/path";
import { exists } from "../host/files.ts";
import { makePrivateTempDir } from "../host/private_files.ts";

/** The files of a queue, without those that SQLite makes anew: the -wal may hold the latest changes. */
const PARTS = ["", "-wal"];

/**
 * A queue's copy in the temporary folder, removed when it is disposed of. SQLite wants
 * to write beside a database even to read it, which not every file system lets it.
 */
export class CopyToLook implements Disposable {
  readonly path: string;
  readonly #dir: string;

  /** @throws {Error} if it cannot be read, or there is no room for a copy. */
  constructor(queuePath: string) {
    this.#dir = makePrivateTempDir("jarvis-agent-");
    this.path = join(this.#dir, basename(queuePath));
    try {
      for (const part of PARTS) {
        if (!exists(queuePath + part)) continue;
        Deno.copyFileSync(queuePath + part, this.path + part);
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#dir, { recursive: true });
  }
}
