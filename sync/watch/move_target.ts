import { basename, extname, join } from "@std/path";
import { hasCode, removeIfThere, syncDir, writeAll } from "../host/files.ts";
import { type Folder, openOwnFolder } from "../host/folder.ts";
import {
  type FileIdentity,
  isSameVersion,
  type OpenedFile,
} from "../host/opened_file.ts";
import { followOwnLinks } from "../host/links.ts";
import { createPrivateDir, openNew } from "../host/private_files.ts";
import { readHashed } from "../host/sha256.ts";
import { sidecarOf } from "./sidecar.ts";
import { fileAt } from "./place.ts";

/** A delivered file, and its sidecar if that was delivered as well. */
export interface FileToMove {
  /** Relative to its watched folder. */
  name: string;
  identity: FileIdentity;
  sidecar: FileIdentity | undefined;
}

/** The names of copies under way: nobody can foretell them. */
const TEMPORARY = /^\.jarvis-[0-9a-f-]{36}\.part$/;
/** The longest name, in bytes, that leaves room for that of a sidecar. */
const MAX_NAME_BYTES = 250;
/** A longer ending is no extension. */
const MAX_EXTENSION_BYTES = 50;

/** The folder into which delivered files are moved, from other file systems too. */
export class MoveTarget {
  readonly #dir: string;
  #isClean = false;
  /** The owner of the folder when it was first used. */
  #uid: number | null = null;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /**
   * Moves a file here with its sidecar, to names that nothing has.
   *
   * @returns whether it did; not if it is not the same any more.
   * @throws {Error} if it cannot be moved: it is where it was.
   */
  async take(from: Folder, file: FileToMove): Promise<boolean> {
    followOwnLinks(this.#dir);
    createPrivateDir(this.#dir);
    using target = openOwnFolder(this.#dir);
    this.#assertSame(target);
    if (!this.#isClean) removeLeftovers(target);
    this.#isClean = true;
    const as = freeName(target, file);
    // The sidecar goes first: alone it would wait for its capture for ever.
    if (file.sidecar) {
      const sidecar = { name: sidecarOf(file.name), identity: file.sidecar };
      await move(from, sidecar, { to: target, as: sidecarOf(as) });
    }
    try {
      return await move(from, file, { to: target, as });
    } catch (error) {
      if (file.sidecar) {
        await putBack(target, sidecarOf(as), from, file).catch(() => {});
      }
      throw error;
    }
  }

  /** @throws {Error} if a neighbour has put something else in the folder's place. */
  #assertSame({ identity: { uid } }: Folder): void {
    this.#uid ??= uid;
    if (uid === this.#uid || uid === Deno.uid()) return;
    throw new Error(
      `"${this.#dir}" belongs to user ${uid} now, and did to user ${this.#uid}; start the agent again if that is right`,
    );
  }
}

/** A free name: the file's own, else with its time, else with a number too. */
function freeName(target: Folder, file: FileToMove): string {
  const name = basename(file.name);
  const time = new Date(file.identity.mtimeMs).toISOString()
    .replaceAll(":", "-");
  for (let n = 0;; n++) {
    const mark = n === 1 ? ` ${time}` : ` ${time} (${n})`;
    const as = n === 0 ? name : markedName(name, mark);
    // Without one to be moved, the sidecar may have come here before a crash.
    const isTaken = target.look(as) !== undefined ||
      file.sidecar && target.look(sidecarOf(as)) !== undefined;
    if (!isTaken) return as;
  }
}

/** A file's name with a mark before its extension, shortened so far that its sidecar can have a name too. */
export function markedName(name: string, mark: string): string {
  const encoder = new TextEncoder();
  const bytesOf = (text: string) => encoder.encode(text).length;
  const found = extname(name);
  const extension = bytesOf(found) > MAX_EXTENSION_BYTES ? "" : found;
  const end = mark + extension;
  const stem = [...basename(name, extension)];
  while (bytesOf(stem.join("") + end) > MAX_NAME_BYTES) stem.pop();
  return stem.join("") + end;
}

async function move(
  from: Folder,
  { name, identity }: { name: string; identity: FileIdentity },
  { to, as }: { to: Folder; as: string },
): Promise<boolean> {
  try {
    return from.move(name, { to, as, expected: identity });
  } catch (error) {
    if (!hasCode(error, "EXDEV")) throw error;
  }
  using file = from.openFile(name);
  if (!isSameVersion(file.identity, identity)) return false;
  await copy(file, { to, as });
  const isGone = from.remove(name, identity);
  const copied = isGone ? undefined : fileAt(to, as);
  if (copied) to.remove(as, copied);
  return isGone;
}

/** Moves a sidecar back whose capture could not be moved. */
async function putBack(
  target: Folder,
  name: string,
  to: Folder,
  file: FileToMove,
): Promise<void> {
  const identity = fileAt(target, name);
  const as = sidecarOf(file.name);
  if (identity) await move(target, { name, identity }, { to, as });
}

/** Makes a copy with the same time and mode, which is on the disk under its name then. */
async function copy(
  file: OpenedFile,
  { to, as }: { to: Folder; as: string },
): Promise<void> {
  const name = `.jarvis-${crypto.randomUUID()}.part`;
  const path = join(to.path, name);
  try {
    {
      using copy = openNew(path, file.mode ?? undefined);
      await readHashed(file, (piece) => writeAll(copy, piece));
      const seconds = file.identity.mtimeMs / 1000;
      copy.utimeSync(seconds, seconds);
      await copy.sync();
    }
    const expected = fileAt(to, name);
    const isWhole = isSameVersion(file.stat(), file.identity) &&
      expected?.size === file.identity.size;
    if (!isWhole || !to.move(name, { to, as, expected })) {
      throw new Error("it changed while it was copied");
    }
    syncDir(to.path);
  } catch (error) {
    removeIfThere(path);
    throw error;
  }
}

/** Removes incomplete copies of earlier moves that no process writes to any more. */
function removeLeftovers(target: Folder): void {
  for (const { name } of [...target.list()].flat()) {
    if (!TEMPORARY.test(name)) continue;
    using file = target.openFile(name);
    if (file.isOpenForWriting() === false) target.remove(name, file.identity);
  }
}
