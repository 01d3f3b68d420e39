import { basename, dirname, join } from "@std/path";
import * as descriptor from "./descriptor.ts";
import { libc } from "./libc.ts";
import {
  type FileIdentity,
  isSameVersion,
  openDescriptor,
  type OpenedFile,
} from "./opened_file.ts";
import { PortableFolder } from "./portable_folder.ts";

/** One name in a folder. */
export interface FolderEntry {
  name: string;
  kind: "file" | "folder" | "link" | "other";
  /** Whether the name is valid UTF-8: another one is shown with replacement characters. */
  isUtf8: boolean;
}

/** What tells one folder from another that has taken its name. */
export interface FolderIdentity {
  /** Device and inode, as one text. */
  folderId: string;
  /** When it was made, in milliseconds since 1970; `null` where that is not kept. */
  birthtimeMs: number | null;
  /** Whose it is; `null` where the system does not tell. */
  uid: number | null;
}

/**
 * A folder, held open: everything opened, listed, removed or moved through it lies
 * below it, with no link on the way, even if folders are renamed or exchanged meanwhile.
 * Names are relative to it, like `b/c.png`.
 *
 * Without Linux's calls each use looks for links first, which somebody who may
 * write to the folder can race.
 */
export interface Folder extends Disposable {
  /** What it was opened as. */
  readonly path: string;
  readonly identity: FolderIdentity;
  /**
   * Opens a regular file.
   *
   * @throws as {@linkcode openRegularFile} does, and if a link is on the way.
   */
  openFile(name: string): OpenedFile;
  /** Looks at a name without following links; `undefined` if there is none. */
  look(
    name: string,
  ): (FileIdentity & { kind: FolderEntry["kind"] }) | undefined;
  /** @throws {Error} if it is no folder, or a link is on the way. */
  openFolder(name: string): Folder;
  /** Its names in no order, some hundreds at a time. */
  list(): Generator<FolderEntry[]>;
  /**
   * Removes a file, if the name still leads to this very version of it. A power cut
   * does not bring it back.
   *
   * @returns whether it did.
   */
  remove(name: string, expected: FileIdentity): boolean;
  /**
   * Moves a file to a name in another folder that nothing has yet, if it is still
   * this very version of it. A power cut does not undo it.
   *
   * @returns whether it did.
   * @throws {Error} whose `code` is `EXDEV` if that is another file system,
   * `EEXIST` if something has the name.
   */
  move(
    name: string,
    options: { to: Folder; as: string; expected: FileIdentity },
  ): boolean;
}

/**
 * Opens a folder; a link that is on the way is followed, one that the path itself
 * is too unless `noFollow` is set.
 *
 * @throws {Error} if it is no folder, or cannot be opened.
 */
export function openFolder(
  path: string,
  options: { noFollow?: boolean } = {},
): Folder {
  if (!libc) return new PortableFolder(path, options);
  const how = { ...options, folder: true };
  const fd = descriptor.openAt(descriptor.AT_FDCWD, path, how);
  return new DescriptorFolder(path, fd);
}

/** A folder's descriptor, for the system's calls; `undefined` without Linux's calls. */
export function descriptorOf(folder: Folder): number | undefined {
  return folder instanceof DescriptorFolder ? folder.fd : undefined;
}

/** How much of a listing is read at a time, in bytes. */
const LISTING_BYTES = 32 * 1024;

class DescriptorFolder implements Folder {
  readonly path: string;
  readonly identity: FolderIdentity;
  readonly fd: number;
  #isOpen = true;

  constructor(path: string, fd: number) {
    const { fileId, birthtimeMs, uid } = descriptor.statOf(fd);
    this.path = path;
    this.identity = { folderId: fileId, birthtimeMs, uid };
    this.fd = fd;
  }

  openFile(name: string): OpenedFile {
    return openDescriptor(
      join(this.path, name),
      () => descriptor.openAt(this.fd, name, { beneath: true }),
    );
  }

  look(name: string): ReturnType<Folder["look"]> {
    try {
      return this.#inParent(name, (fd, last) => descriptor.statAt(fd, last));
    } catch (error) {
      // A folder on the way has gone.
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  openFolder(name: string): DescriptorFolder {
    const options = { folder: true, beneath: true };
    const fd = descriptor.openAt(this.fd, name, options);
    return new DescriptorFolder(join(this.path, name), fd);
  }

  *list(): Generator<FolderEntry[]> {
    // Of its own, because a listing goes on where the last one on it ended.
    const fd = descriptor.openAt(this.fd, ".", { folder: true, beneath: true });
    try {
      const bytes = new Uint8Array(LISTING_BYTES);
      for (let end; (end = descriptor.readEntries(fd, bytes)) > 0;) {
        yield [...entriesOf(fd, bytes.subarray(0, end))];
      }
    } finally {
      descriptor.close(fd);
    }
  }

  remove(name: string, expected: FileIdentity): boolean {
    return this.#inParent(name, (fd, last) => {
      if (!isSame(descriptor.statAt(fd, last), expected)) return false;
      descriptor.unlinkAt(fd, last);
      descriptor.sync(fd);
      return true;
    });
  }

  move(
    name: string,
    { to, as, expected }: { to: Folder; as: string; expected: FileIdentity },
  ): boolean {
    const target = { folder: (to as DescriptorFolder).fd, name: as };
    return this.#inParent(name, (fd, last) => {
      if (!isSame(descriptor.statAt(fd, last), expected)) return false;
      descriptor.renameAt(fd, last, target);
      [target.folder, fd].forEach(descriptor.sync);
      return true;
    });
  }

  /** Works in the folder that holds the last part of a name. */
  #inParent<T>(name: string, act: (fd: number, last: string) => T): T {
    const parent = dirname(name);
    if (parent === ".") return act(this.fd, name);
    using folder = this.openFolder(parent);
    return act(folder.fd, basename(name));
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) descriptor.close(this.fd);
    this.#isOpen = false;
  }
}

// A file name keeps its byte order mark.
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientUtf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const KINDS: Readonly<Record<number, FolderEntry["kind"]>> = {
  4: "folder",
  8: "file",
  10: "link",
};

/** Reads what `getdents64` has written. */
function* entriesOf(fd: number, bytes: Uint8Array): Generator<FolderEntry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < bytes.length; at += view.getUint16(at + 16, true)) {
    const start = at + 19;
    const raw = bytes.subarray(start, bytes.indexOf(0, start));
    const { name, isUtf8 } = nameOf(raw);
    if (name === "." || name === "..") continue;
    const type = view.getUint8(at + 18);
    // Some file systems leave it to be asked for.
    const kind = type === 0 && isUtf8 ? kindAt(fd, name) : KINDS[type];
    yield { name, kind: kind ?? "other", isUtf8 };
  }
}

/** Reads a name as Linux has it: bytes, in any encoding or none. */
export function nameOf(raw: Uint8Array): { name: string; isUtf8: boolean } {
  try {
    return { name: strictUtf8.decode(raw), isUtf8: true };
  } catch {
    return { name: lenientUtf8.decode(raw), isUtf8: false };
  }
}

function kindAt(fd: number, name: string): FolderEntry["kind"] | undefined {
  try {
    return descriptor.statAt(fd, name)?.kind;
  } catch {
    // It has gone since.
    return undefined;
  }
}

function isSame(
  info: FileIdentity & { kind: FolderEntry["kind"] } | undefined,
  expected: FileIdentity,
): boolean {
  return info?.kind === "file" && isSameVersion(info, expected);
}
