import { fileSize, removeIfThere, writeAll } from "../../host/files.ts";
import { tryTo } from "../../host/try_to.ts";
import { type CopiedRows, copyRows } from "../copy_rows.ts";
import { readQueueId } from "../migrate.ts";
import { COMPANIONS } from "../side_files.ts";
import {
  type Connection,
  type Engine,
  hasFault,
  openDatabase,
} from "../sqlite.ts";
import { firstPages } from "./first_page.ts";

/** Of a file that cannot be opened. */
const NOTHING: CopiedRows = { captures: 0, complete: false, hasTables: false };

/** Reads a queue's files that may be damaged; never changes them. */
export class DamagedReader {
  readonly #path: string;
  readonly #engine: { engine?: Engine };

  /** @param path The queue; names beside it are used for files that are made and removed again. */
  constructor(path: string, engine: Engine | undefined) {
    this.#path = path;
    this.#engine = engine ? { engine } : {};
  }

  /** Read-only: closing a writable database merges its -wal. */
  view(path: string, { tolerant }: { tolerant: boolean }): Connection {
    return openDatabase(path, { ...this.#engine, readonly: true, tolerant });
  }

  /** Whether the -wal beside a queue was written for another one. */
  hasForeignWal(path: string): boolean {
    if (!fileSize(path + "-wal")) return false;
    const own = this.#lookAlone(path, readQueueId);
    const merged = this.#look(path, readQueueId);
    return Boolean(own) && merged !== undefined && merged !== own;
  }

  /** Copies the rows that can be read into the queue. */
  copyRows(from: string): CopiedRows {
    // A crash may have left its -wal alone.
    if (fileSize(from) === undefined) return NOTHING;
    using target = openDatabase(this.#path, this.#engine);
    const found = this.#copyRows(from, target);
    return found.hasTables ? found : this.#copyMended(from, { target, found });
  }

  #copyRows(from: string, target: Connection): CopiedRows {
    const copy = (view: Connection) => copyRows(view, target);
    const found = this.hasForeignWal(from) ? undefined : this.#look(from, copy);
    if (found?.complete) return found;
    // The -wal may be the damaged part.
    const more = this.#lookAlone(from, copy) ?? NOTHING;
    return {
      captures: (found?.captures ?? 0) + more.captures,
      complete: false,
      hasTables: (found ?? more).hasTables,
    };
  }

  /** Copies the rows that can be read with another first page; `found` is what came without. */
  #copyMended(
    from: string,
    { target, found }: { target: Connection; found: CopiedRows },
  ): CopiedRows {
    using scratch = new TemporaryFile(`${this.#path}.page`);
    const options = { fresh: target, scratch: scratch.path };
    // Without room for it, or a schema that it can tell, nothing more is read.
    const pages = tryTo(() => firstPages(from, options)) ?? [];
    let { captures } = found;
    for (const page of pages) {
      using mended = new TemporaryFile(`${this.#path}.mended`);
      if (!tryTo(() => copyWithPage(from, mended.path, page))) break;
      const more = this.#copyRows(mended.path, target);
      captures += more.captures;
      if (more.hasTables) return { ...more, captures };
    }
    return { ...found, captures };
  }

  /** Looks at a database without its -wal. */
  #lookAlone<T>(path: string, act: (view: Connection) => T): T | undefined {
    using alone = new TemporaryFile(`${this.#path}.alone`);
    linkOrCopy(path, alone.path);
    return this.#look(alone.path, act);
  }

  /** Looks at a database, if it can be opened at all. */
  #look<T>(path: string, act: (view: Connection) => T): T | undefined {
    let view: Connection;
    try {
      view = this.view(path, { tolerant: true });
    } catch (error) {
      // Room may be made, and all of it be read then.
      if (hasFault(error, "full")) throw error;
      return undefined;
    }
    try {
      return act(view);
    } finally {
      view.close();
    }
  }
}

/** The name of a database that is removed at the end, and what is there under it now. */
class TemporaryFile implements Disposable {
  readonly path: string;

  /** @param path Always the same, so that the next one removes a crash's leftovers. */
  constructor(path: string) {
    this.path = path;
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    ["", ...COMPANIONS].forEach((end) => removeIfThere(this.path + end));
  }
}

/** Copies a database and its -wal, with another first page. Returns `true`. */
function copyWithPage(from: string, to: string, page: Uint8Array): boolean {
  Deno.copyFileSync(from, to);
  if (fileSize(from + "-wal")) Deno.copyFileSync(from + "-wal", to + "-wal");
  using file = Deno.openSync(to, { write: true });
  writeAll(file, page);
  return true;
}

function linkOrCopy(from: string, to: string): void {
  try {
    Deno.linkSync(from, to);
  } catch {
    Deno.copyFileSync(from, to);
  }
}
