import { basename, dirname, join } from "@std/path";
import {
  CaptureFileError,
  CaptureReadError,
  reasonOf,
} from "../capture/errors.ts";
import { reached } from "../host/fault_point.ts";
import { isReadOnly, syncFile } from "../host/files.ts";
import { type Folder, openFolder } from "../host/folder.ts";
import { followOwnLinks } from "../host/links.ts";
import { messageOf } from "../host/message_of.ts";
import { isSameFile, type OpenedFile } from "../host/opened_file.ts";
import { tryTo } from "../host/try_to.ts";
import {
  hashFinished,
  openSource,
  UnfinishedFileError,
} from "./private_copy.ts";
import type { RecordDraft } from "./record_log.ts";
import type { Spool, SpoolRecord } from "./spool.ts";

/** A file that its maker gives away. */
export interface GivenFile extends Disposable {
  file: OpenedFile;
  /** The folder that it is in, and its name there. */
  folder: Folder;
  name: string;
  /**
   * Whether moving it makes it private: nobody has it open for writing, it is this
   * user's, and has no other name.
   */
  isPrivate: boolean;
}

/**
 * Opens a file that is given away.
 *
 * @throws {CaptureFileError} if it is not there, or is a link or something else
 * than a file.
 * @throws {CaptureReadError} if somebody still has it open for writing, or it
 * cannot be read.
 */
export function openGiven(path: string): GivenFile {
  assertNoLink(path);
  const file = openSource(path, { noFollow: true });
  const isOpen = file.isOpenForWriting();
  if (isOpen) {
    file[Symbol.dispose]();
    throw stillOpen(path);
  }
  const folder = openFolder(dirname(path));
  return {
    file,
    folder,
    name: basename(path),
    isPrivate: isOpen === false && file.uid === Deno.uid() &&
      Deno.lstatSync(path).nlink === 1,
    [Symbol.dispose]() {
      file[Symbol.dispose]();
      folder[Symbol.dispose]();
    },
  };
}

/**
 * Moves a given file into the spool and queues it; or returns `false` if it cannot
 * be moved there, and nothing was done.
 *
 * The record comes first: a crash afterwards leaves the file where it was, or in
 * the spool with its record.
 *
 * @param options `enqueue` commits the row. If it throws, and the capture is not
 * queued all the same, the file goes back.
 * @throws {CaptureReadError} if somebody has opened or changed the file meanwhile.
 */
export async function moveIn(
  spool: Spool,
  given: GivenFile,
  options: {
    capture: RecordDraft;
    enqueue: (record: SpoolRecord) => void;
    isQueued: (id: string) => boolean;
  },
): Promise<boolean> {
  const { file } = given;
  const { capture, enqueue, isQueued } = options;
  const { id } = capture;
  const { identity } = file;
  const record = { ...capture, sha256: await hashFinished(file), identity };
  spool.commit([record]);
  reached("spool-record");
  using shard = spool.folderOf(id);
  if (!tryMove(given, shard, id)) return false;
  try {
    if (file.isOpenForWriting() !== false) throw stillOpen(file.path);
    if (!isSameFile(file.stat(), identity)) {
      throw new UnfinishedFileError(file.path);
    }
    syncFile(spool.pathOf(id));
    reached("spool-file");
    enqueue(record);
  } catch (error) {
    if (!isQueued(id)) giveBack(spool, given, { shard, id });
    throw error;
  }
  Deno.chmodSync(spool.pathOf(id), 0o600);
  return true;
}

function giveBack(
  spool: Spool,
  { folder, name }: GivenFile,
  { shard, id }: { shard: Folder; id: string },
): void {
  try {
    const expected = shard.look(id);
    if (expected) shard.move(id, { to: folder, as: name, expected });
  } catch {
    // Another file has its name by now: it stays, to be delivered, not lost.
    spool.occupants.leaveUnfinished();
  }
}

/**
 * The original of a given file that was copied. Nothing but another name shows whether it
 * can be removed: it gets one that hides it before the capture is queued.
 */
export class Original {
  readonly #given: GivenFile;
  readonly #id: string;
  readonly #hidden: string;

  /** @param id The capture's. */
  constructor(given: GivenFile, id: string) {
    this.#given = given;
    this.#id = id;
    this.#hidden = `.${id}.given-away`;
  }

  /**
   * @throws {CaptureFileError} if it cannot be removed.
   * @throws {UnfinishedFileError} if it was changed since it was opened.
   */
  hide(): void {
    const { file, folder, name } = this.#given;
    const to = { to: folder, as: this.#hidden, expected: file.stat() };
    let isHidden = false;
    try {
      isHidden = isSameFile(to.expected, file.identity) &&
        folder.move(name, to);
    } catch (cause) {
      // The disk may be full, for one.
      throw isForbidden(cause) ? cannotRemove(file.path, cause) : cause;
    }
    if (!isHidden) throw new UnfinishedFileError(file.path);
  }

  /** Gives it its name back, if it has another one; returns the error with what it has to add. */
  putBack(error: unknown): unknown {
    const { file, folder, name } = this.#given;
    try {
      const expected = folder.look(this.#hidden);
      if (expected) {
        folder.move(this.#hidden, { to: folder, as: name, expected });
      }
      return error;
    } catch (again) {
      const [first, second] = [error, again].map(messageOf);
      const place = join(folder.path, this.#hidden);
      const message = `${first}; "${file.path}" is "${place}" now: ${second}`;
      return new Error(message, { cause: error });
    }
  }

  /** @throws {Error} if it cannot be removed all the same, or was changed; then it is back. */
  remove(): void {
    const { file, folder } = this.#given;
    const expected = file.stat();
    try {
      const isRemoved = isSameFile(expected, file.identity) &&
        folder.remove(this.#hidden, expected);
      if (!isRemoved) throw new Error("it was changed meanwhile");
    } catch (cause) {
      const what = `"${file.path}" is queued as ${this.#id}, but stays`;
      throw this.putBack(new Error(`${what}: ${messageOf(cause)}`, { cause }));
    }
  }
}

/**
 * Whether the file could be moved: not to another file system.
 *
 * @throws {CaptureFileError} if it cannot be taken away from where it is.
 */
function tryMove({ file, folder, name }: GivenFile, to: Folder, as: string) {
  try {
    if (folder.move(name, { to, as, expected: file.stat() })) return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    if (isForbidden(error)) throw cannotRemove(file.path, error);
    return false;
  }
  throw new UnfinishedFileError(file.path);
}

function isForbidden(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    isReadOnly(error);
}

function cannotRemove(path: string, cause: unknown): CaptureFileError {
  return new CaptureFileError(
    `Cannot move "${path}": it cannot be removed from its folder (${
      reasonOf(cause)
    }), expected a file that this user may remove`,
    { cause },
  );
}

function assertNoLink(path: string): void {
  try {
    followOwnLinks(dirname(path));
  } catch (cause) {
    throw new CaptureFileError(`Cannot move "${path}": ${messageOf(cause)}`, {
      cause,
    });
  }
  // If it cannot be looked at, opening it says why.
  if (!tryTo(() => Deno.lstatSync(path))?.isSymlink) return;
  throw new CaptureFileError(
    `Cannot move "${path}": it is a symbolic link, expected the file itself`,
  );
}

function stillOpen(path: string): CaptureReadError {
  return new CaptureReadError(
    `Cannot move "${path}": somebody still has it open for writing; try again when it is closed`,
  );
}
