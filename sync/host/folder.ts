import { basename, dirname, join } from "@std/path";
import { AT_FDCWD, type Stat } from "./descriptor.ts";
import { libc, systemError } from "./libc.ts";
import { followOwnLinks } from "./links.ts";
import { type FolderEntry, listEntries } from "./listing.ts";
import {
  type FileIdentity,
  isSameVersion,
  openDescriptor,
  type OpenedFile,
  system,
} from "./opened_file.ts";
import * as portable from "./portable_files.ts";
import { ifThere } from "./try_to.ts";

export type { FolderEntry } from "./listing.ts";

const EXDEV = 18;

/** The identity of a folder: another one that takes its name differs. */
export interface FolderIdentity {
  /** Device and inode, as one text. */
  folderId: string;
  /** When it was made, in milliseconds since 1970; `null` where that is not kept. */
  birthtimeMs: number | null;
  /** The user id of its owner; `null` where the system does not tell. */
  uid: number | null;
}

/**
 * Opens a folder, following links.
 *
 * @throws {Error} if it is no folder, or cannot be opened.
 */
export function openFolder(path: string): Folder {
  return new Folder(path, system.openAt(AT_FDCWD, path, { folder: true }));
}

/**
 * Opens a folder by a way on which only links of this user and of root are followed,
 * even if parts of it are exchanged meanwhile.
 *
 * @throws {Error} as {@linkcode openFolder} does, and if a link of another user is on
 * the way, which it names.
 */
export function openOwnFolder(path: string): Folder {
  const name = followOwnLinks(path).slice(1);
  if (Deno.build.os === "windows" || name === "") return openFolder(path);
  using top = openFolder("/");
  return top.openFolder(name);
}

/** A folder's descriptor, for the system's calls; `undefined` without Linux's calls. */
export function descriptorOf(folder: Folder): number | undefined {
  return libc && folder.fd;
}

/**
 * A folder, held open: everything opened, listed, removed or moved through it lies
 * below it, with no link on the way, even if folders are renamed or exchanged meanwhile.
 * Names are relative to it, like `b/c.png`.
 *
 * Without Linux's calls each use looks for links first, which somebody who may
 * write to the folder can race.
 */
export class Folder implements Disposable {
  /** The path under which it was opened. */
  readonly path: string;
  readonly identity: FolderIdentity;
  readonly fd: number;
  #isOpen = true;

  /** @param fd An open folder, which is this one's from now on. */
  constructor(path: string, fd: number) {
    const { fileId, birthtimeMs, uid } = system.statOf(fd);
    this.path = path;
    this.identity = { folderId: fileId, birthtimeMs, uid };
    this.fd = fd;
  }

  /**
   * Opens a regular file.
   *
   * @throws as {@linkcode openRegularFile} does, and if a link is on the way.
   */
  openFile(name: string): OpenedFile {
    return this.#inParent(name, (fd, last) => {
      const open = () => system.openAt(fd, last, { noFollow: true });
      return openDescriptor(join(this.path, name), open);
    });
  }

  /**
   * Looks at a name without following links; `undefined` if there is none. `links` is
   * how many names the file has, in this folder or elsewhere.
   */
  look(
    name: string,
  ): FileIdentity & Pick<Stat, "kind" | "links"> | undefined {
    // A folder on the way may have gone.
    return ifThere(() => this.#inParent(name, system.statAt));
  }

  /** @throws {Error} if it is no folder, or a link is on the way. */
  openFolder(name: string): Folder {
    return this.#inParent(name, (fd, last) => {
      const how = { folder: true, noFollow: true };
      const path = join(this.path, name);
      return new Folder(path, system.openAt(fd, last, how));
    });
  }

  /** Its names in no order, some hundreds at a time. */
  list(): Generator<FolderEntry[]> {
    return libc ? listEntries(this.fd) : portable.listEntries(this.fd);
  }

  /**
   * Removes a file, if the name still leads to this very version of it. A power cut
   * does not bring it back.
   *
   * @returns whether it did.
   */
  remove(name: string, expected: FileIdentity): boolean {
    return this.#inParent(name, (fd, last) => {
      if (!isSame(system.statAt(fd, last), expected)) return false;
      system.unlinkAt(fd, last);
      system.sync(fd);
      return true;
    });
  }

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
    { to, as, expected }: { to: Folder; as: string; expected: FileIdentity },
  ): boolean {
    return this.#inParent(name, (fd, last) => {
      if (!isSame(system.statAt(fd, last), expected)) return false;
      system.renameAt(fd, last, { folder: to.fd, name: as });
      [to.fd, fd].forEach(system.sync);
      return true;
    });
  }

  /**
   * Works in the folder that holds the last part of a name. Each folder on the way is
   * opened from the one before, so that nobody can lead the way elsewhere; the system
   * call `openat2` does the same, but not on every kernel.
   */
  #inParent<T>(name: string, act: (fd: number, last: string) => T): T {
    const [parent, last] = [dirname(name), basename(name)];
    if (last === "..") throw systemError(EXDEV, `open "${name}"`);
    if (parent === ".") return act(this.fd, last);
    if (parent === name) throw systemError(EXDEV, `open "${name}"`);
    using folder = this.openFolder(parent);
    return act(folder.fd, last);
  }

  [Symbol.dispose](): void {
    if (this.#isOpen) system.close(this.fd);
    this.#isOpen = false;
  }
}

function isSame(info: Stat | undefined, expected: FileIdentity): boolean {
  return info?.kind === "file" && isSameVersion(info, expected);
}
