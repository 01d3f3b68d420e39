import * as descriptor from "./descriptor.ts";
import { hasCode } from "./files.ts";
import { libc } from "./libc.ts";
import * as portable from "./portable_files.ts";
import { tryTo } from "./try_to.ts";

/** Linux's calls, or Deno's in their place. */
export const system = libc ? descriptor : portable;

/**
 * How much earlier than the clock a file's times may be, in milliseconds; two changes
 * this close together may have the same. Deno itself reports whole seconds.
 */
export const CLOCK_TICK_MS = libc ? 20 : 1_020;

/** The identity of one version of a file. */
export interface FileIdentity {
  /** Device and inode, as one text. */
  fileId: string;
  /** In bytes. */
  size: number;
  /** When its bytes last changed, as far as that was not set: whole milliseconds since 1970. */
  mtimeMs: number;
  /** When anything of it last changed, its names and permissions too; nobody can set it. */
  ctimeMs: number;
}

/** Something else than a regular file has the name. */
export class NotRegularFileError extends Error {
  override name = "NotRegularFileError";
}

/** Whether a file could not be opened as something else has its name: a link, a pipe, a folder. */
export function isNotRegular(error: unknown): boolean {
  return error instanceof NotRegularFileError || hasCode(error, "ELOOP");
}

/**
 * Opens a regular file for reading. Links on the way are followed, the last one
 * too unless `noFollow` is set; nothing that is no regular file is waited for.
 *
 * @throws {NotRegularFileError} if it is something else.
 * @throws {Deno.errors.NotFound | Deno.errors.PermissionDenied | Error} with the
 * system's `code`, if it cannot be opened.
 */
export function openRegularFile(
  path: string,
  options: { noFollow?: boolean } = {},
): OpenedFile {
  const open = () => system.openAt(descriptor.AT_FDCWD, path, options);
  return openDescriptor(path, open);
}

/** The identity of the file or folder at a path, links followed; `undefined` if it cannot be told. */
export function fileIdAt(path: string): string | undefined {
  const look = () => system.statAt(descriptor.AT_FDCWD, path, { follow: true });
  return tryTo(look)?.fileId;
}

/** Takes over the descriptor that `open` returns, if it is a regular file's. */
export function openDescriptor(path: string, open: () => number): OpenedFile {
  const fd = open();
  try {
    return new OpenedFile(path, fd);
  } catch (error) {
    system.close(fd);
    throw error;
  }
}

/**
 * A regular file, open for reading: all captures and sidecars are read through
 * this. It stays the same file when its name goes, or leads elsewhere.
 */
export class OpenedFile implements Disposable {
  /** The path under which it was opened. */
  readonly path: string;
  /** As it was when it was opened. */
  readonly identity: FileIdentity;
  /** The user id of its owner; `null` where the system does not tell. */
  readonly uid: number | null;
  /** Its permissions; `null` where the system has none. */
  readonly mode: number | null;
  readonly #fd: number;
  #isOpen = true;
  #isReading = false;

  /** @param fd An open file, which is this one's if it is a regular one. */
  constructor(path: string, fd: number) {
    const { kind, uid, mode } = system.statOf(fd);
    if (kind !== "file") {
      const what = kind === "folder" ? "a directory" : "not a regular file";
      throw new NotRegularFileError(
        `Cannot read "${path}": it is ${what}, expected a file`,
      );
    }
    this.path = path;
    this.#fd = fd;
    this.identity = this.stat();
    this.uid = uid;
    this.mode = mode && mode & 0o777;
  }

  /** As it is now. */
  stat(): FileIdentity {
    const { fileId, size, mtimeMs, ctimeMs } = system.statOf(this.#fd);
    return { fileId, size, mtimeMs, ctimeMs };
  }

  /** Opens the same file once more, be its name gone or another's; on Linux only. */
  again(): OpenedFile {
    const path = `/proc/self/fd/${this.#fd}`;
    const open = () => system.openAt(descriptor.AT_FDCWD, path);
    return openDescriptor(this.path, open);
  }

  /** Reads at an offset and returns how many bytes, 0 at the end. */
  readSync(into: Uint8Array, offset: number): number {
    return system.readAt(this.#fd, into, offset);
  }

  /** Reads its first bytes: so many, or all if it has fewer. */
  readFirst(count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count);
    let length = 0;
    for (let read = 1; read > 0; length += read) {
      read = this.readSync(bytes.subarray(length), length);
    }
    return bytes.subarray(0, length);
  }

  /** Like `readSync`, without holding up the thread. One call at a time. */
  async read(into: Uint8Array, offset: number): Promise<number> {
    this.#isReading = true;
    try {
      return await system.readAtAside(this.#fd, into, offset);
    } finally {
      this.#isReading = false;
      if (!this.#isOpen) system.close(this.#fd);
    }
  }

  /** Whether somebody has it open for writing; `undefined` where that cannot be told. */
  isOpenForWriting(): boolean | undefined {
    return system.isOpenForWriting(this.#fd);
  }

  /**
   * Makes a new file, for this user alone, that shares this one's bytes as they
   * are now, or is empty where the file system cannot do that; returns whether it can.
   *
   * @throws {Deno.errors.AlreadyExists} if something has that name.
   */
  cloneTo(path: string): boolean {
    return system.cloneTo(this.#fd, path);
  }

  /** A close during a read takes effect at its end: the descriptor could be another file's by then. */
  [Symbol.dispose](): void {
    if (this.#isOpen && !this.#isReading) system.close(this.#fd);
    this.#isOpen = false;
  }
}

/** Whether two looks were at the same file, and nothing of it has changed in between. */
export function isSameVersion(a: FileIdentity, b: FileIdentity): boolean {
  return isSameFile(a, b) && a.ctimeMs === b.ctimeMs;
}

/** The same, but for names and permissions; who may write to it can set the time back. */
export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.fileId === b.fileId && a.size === b.size && a.mtimeMs === b.mtimeMs;
}
