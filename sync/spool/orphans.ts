import { join } from "@std/path";
import { createPrivateDir, writeFileDurably } from "../host/private_files.ts";
import { tryTo } from "../host/try_to.ts";
import type { SpoolRecord } from "./record_log.ts";

/** Files of the spool that belong to no capture but may be the only copy: for a person to look at. */
export class Orphans {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * Moves a file there.
   *
   * @param record Kept beside it, if it is known.
   */
  take(path: string, id: string, record?: SpoolRecord): void {
    createPrivateDir(this.#dir);
    if (record) {
      const text = new TextEncoder().encode(JSON.stringify(record));
      writeFileDurably(join(this.#dir, `${id}.json`), text);
    }
    Deno.renameSync(path, join(this.#dir, id));
  }

  get count(): number {
    return tryTo(() => [...Deno.readDirSync(this.#dir)])
      ?.filter(({ name }) => !name.endsWith(".json")).length ?? 0;
  }
}
