import * as descriptor from "./descriptor.ts";
import { libc } from "./libc.ts";

/** What tells one file, and one version of it, from another. */
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

/**
 * A regular file, open for reading: all captures and sidecars are read through
 * this. It stays the same file when its name goes, or leads elsewhere.
 */
export interface OpenedFile extends Disposable {
  /** What it was opened as. */
  readonly path: string;
  /** As it was when it was opened. */
  readonly identity: FileIdentity;
  /** Whose it is; `null` where the system does not tell. */
  readonly uid: number | null;
  /** Its permissions; `null` where the system has none. */
  readonly mode: number | null;
  /** As it is now. */
  stat(): FileIdentity;
  /** Reads at an offset and returns how many bytes, 0 at the end. */
  readSync(into: Uint8Array, offset: number): number;
  /** Like `readSync`, without holding up the thread. One call at a time. */
  read(into: Uint8Array, offset: number): Promise<number>;
  /** Whether somebody has it open for writing; `undefined` where that cannot be told. */
  isOpenForWriting(): boolean | undefined;
  /**
   * Makes a new file, for this user alone, that shares this one's bytes as they
   * are now, or is empty where the file system cannot do that; returns whether it can.
   *
   * @throws {Deno.errors.AlreadyExists} if something has that name.
   */
  cloneTo(path: string): boolean;
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
  return libc
    ? openDescriptor(
      path,
      () => descriptor.openAt(descriptor.AT_FDCWD, path, options),
    )
    : new PortableFile(path, options);
}

/** Takes over the descriptor that `open` returns, if it is a regular file's. */
export function openDescriptor(path: string, open: () => number): OpenedFile {
  const fd = open();
  try {
    return new DescriptorFile(path, fd);
  } catch (error) {
    descriptor.close(fd);
    throw error;
  }
}

/** A close during a read takes effect at its end: the descriptor could be another file's by then. */
abstract class ClosableFile {
  #isOpen = true;
  #isReading = false;

  protected abstract readAside(
    into: Uint8Array,
    offset: number,
  ): Promise<number>;

  protected abstract close(): void;

  async read(into: Uint8Array, offset: number): Promise<number> {
    this.#isReading = true;
    try {
      return await this.readAside(into, offset);
    } finally {
      this.#isReading = false;
      if (!this.#isOpen) this.close();
    }
  }

  [Symbol.dispose](): void {
    if (this.#isOpen && !this.#isReading) this.close();
    this.#isOpen = false;
  }
}

class DescriptorFile extends ClosableFile implements OpenedFile {
  readonly path: string;
  readonly identity: FileIdentity;
  readonly uid: number;
  readonly mode: number;
  readonly #fd: number;

  constructor(path: string, fd: number) {
    super();
    const info = descriptor.statOf(fd);
    assertRegular(path, info.kind);
    this.path = path;
    this.identity = identityOf(info);
    this.uid = info.uid;
    this.mode = info.mode & 0o777;
    this.#fd = fd;
  }

  stat(): FileIdentity {
    return identityOf(descriptor.statOf(this.#fd));
  }

  readSync(into: Uint8Array, offset: number): number {
    return descriptor.readAt(this.#fd, into, offset);
  }

  protected readAside(into: Uint8Array, offset: number): Promise<number> {
    return descriptor.readAtAside(this.#fd, into, offset);
  }

  isOpenForWriting(): boolean | undefined {
    return descriptor.isOpenForWriting(this.#fd);
  }

  cloneTo(path: string): boolean {
    const fd = descriptor.createNew(path);
    const isDone = descriptor.clone(this.#fd, fd);
    descriptor.close(fd);
    return isDone;
  }

  protected close(): void {
    descriptor.close(this.#fd);
  }
}

function identityOf(info: descriptor.Stat): FileIdentity {
  const { fileId, size, mtimeMs, ctimeMs } = info;
  return { fileId, size, mtimeMs, ctimeMs };
}

/** The same with what Deno has on every system; a link or another file may take the name in between. */
class PortableFile extends ClosableFile implements OpenedFile {
  readonly path: string;
  readonly identity: FileIdentity;
  readonly uid: number | null;
  readonly mode: number | null;
  readonly #file: Deno.FsFile;

  constructor(path: string, { noFollow = false }: { noFollow?: boolean }) {
    super();
    // Before opening: opening a pipe would wait for its writer.
    const info = noFollow ? Deno.lstatSync(path) : Deno.statSync(path);
    assertRegular(
      path,
      info.isFile ? "file" : info.isDirectory ? "folder" : "other",
    );
    this.path = path;
    this.#file = Deno.openSync(path, { read: true });
    this.identity = this.stat();
    this.uid = info.uid;
    this.mode = info.mode && info.mode & 0o777;
    if (this.identity.fileId === portableIdentity(info).fileId) return;
    this.#file.close();
    throw new NotRegularFileError(
      `Cannot open "${path}": another file took its name meanwhile`,
    );
  }

  stat(): FileIdentity {
    return portableIdentity(this.#file.statSync());
  }

  readSync(into: Uint8Array, offset: number): number {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    return this.#file.readSync(into) ?? 0;
  }

  protected async readAside(
    into: Uint8Array,
    offset: number,
  ): Promise<number> {
    this.#file.seekSync(offset, Deno.SeekMode.Start);
    return await this.#file.read(into) ?? 0;
  }

  isOpenForWriting(): undefined {
    return undefined;
  }

  cloneTo(path: string): boolean {
    const options = { createNew: true, write: true, mode: 0o600 };
    Deno.openSync(path, options).close();
    return false;
  }

  protected close(): void {
    this.#file.close();
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

/** The identity that Deno's own look at a file gives. */
export function portableIdentity(info: Deno.FileInfo): FileIdentity {
  return {
    fileId: `${info.dev}:${info.ino}`,
    size: info.size,
    // A time that the host cannot express counts as none.
    mtimeMs: info.mtime?.getTime() || 0,
    ctimeMs: (info.ctime ?? info.mtime)?.getTime() || 0,
  };
}

function assertRegular(path: string, kind: descriptor.Stat["kind"]): void {
  if (kind === "file") return;
  const what = kind === "folder" ? "a directory" : "not a regular file";
  throw new NotRegularFileError(
    `Cannot read "${path}": it is ${what}, expected a file`,
  );
}
