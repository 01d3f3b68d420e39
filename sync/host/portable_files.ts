/**
 * The functions of `descriptor.ts` and `listing.ts` with Deno's calls, which every
 * system has: a number stands for a file or folder opened by path. Links are looked
 * for before each use, which somebody who may write to the folder can race; nobody
 * tells who writes to a file, and no bytes are shared.
 *
 * @module
 */

import { join } from "@std/path";
import { AT_FDCWD, type OpenAtOptions, type Stat } from "./descriptor.ts";
import { syncDir } from "./files.ts";
import { systemError } from "./libc.ts";
import type { FolderEntry } from "./listing.ts";
import { openNew } from "./private_files.ts";
import { ifThere } from "./try_to.ts";

const [ENOTDIR, ELOOP] = [20, 40];

/** The file or folder of a number; only a regular file is open. */
interface Opened {
  path: string;
  stat: Stat;
  file?: Deno.FsFile;
}

const opened = new Map<number, Opened>();
let last = 0;

export function openAt(
  folder: number,
  path: string,
  options: OpenAtOptions = {},
): number {
  const place = folder === AT_FDCWD ? path : below(folder, path);
  // The folder itself may have been opened through a link.
  const mayFollow = !options.noFollow || path === ".";
  const look = mayFollow ? Deno.statSync : Deno.lstatSync;
  const stat = toStat(look(place));
  if (options.folder && stat.kind !== "folder") {
    throw systemError(ENOTDIR, `open "${place}"`);
  }
  if (stat.kind === "link") throw systemError(ELOOP, `open "${place}"`);
  // Opening a pipe would wait for its writer.
  if (stat.kind !== "file") return keep({ path: place, stat });
  const file = Deno.openSync(place, { read: true });
  if (toStat(file.statSync()).fileId === stat.fileId) {
    return keep({ path: place, stat, file });
  }
  file.close();
  throw new Error(`Cannot open "${place}": another file has its name now`);
}

function keep(what: Opened): number {
  opened.set(++last, what);
  return last;
}

export function close(fd: number): void {
  opened.get(fd)?.file?.close();
  opened.delete(fd);
}

export function statOf(fd: number): Stat {
  const { file, stat } = opened.get(fd)!;
  return file ? toStat(file.statSync()) : stat;
}

export function statAt(
  folder: number,
  name: string,
  options: { follow?: boolean } = {},
): Stat | undefined {
  const look = options.follow ? Deno.statSync : Deno.lstatSync;
  return ifThere(() =>
    toStat(look(folder === AT_FDCWD ? name : below(folder, name)))
  );
}

export function readAt(fd: number, into: Uint8Array, offset: number): number {
  return fileAt(fd, offset).readSync(into) ?? 0;
}

export async function readAtAside(
  fd: number,
  into: Uint8Array,
  offset: number,
): Promise<number> {
  return await fileAt(fd, offset).read(into) ?? 0;
}

function fileAt(fd: number, offset: number): Deno.FsFile {
  const file = opened.get(fd)!.file!;
  file.seekSync(offset, Deno.SeekMode.Start);
  return file;
}

export function isOpenForWriting(_fd: number): undefined {
  return undefined;
}

export function cloneTo(_fd: number, path: string): boolean {
  openNew(path).close();
  return false;
}

export function sync(folder: number): void {
  syncDir(opened.get(folder)!.path);
}

export function unlinkAt(folder: number, name: string): void {
  Deno.removeSync(below(folder, name));
}

export function renameAt(
  folder: number,
  name: string,
  to: { folder: number; name: string },
): void {
  if (statAt(to.folder, to.name)) {
    const error = new Deno.errors.AlreadyExists(to.name);
    throw Object.assign(error, { code: "EEXIST" });
  }
  Deno.renameSync(below(folder, name), below(to.folder, to.name));
}

export function* listEntries(folder: number): Generator<FolderEntry[]> {
  yield [...Deno.readDirSync(below(folder, "."))].map((entry) => ({
    name: entry.name,
    kind: kindOf(entry),
    isUtf8: !entry.name.includes("\ufffd"),
  }));
}

/** @throws {Error} if something else has taken the folder's own name. */
function below(folder: number, name: string): string {
  const { path, stat: { fileId } } = opened.get(folder)!;
  if (toStat(Deno.statSync(path)).fileId === fileId) return join(path, name);
  throw new Error(`Cannot use "${path}": it is another folder now`);
}

function toStat(info: Deno.FileInfo): Stat {
  return {
    kind: kindOf(info),
    fileId: `${info.dev}:${info.ino}`,
    mode: info.mode && info.mode & 0o7777,
    uid: info.uid,
    links: info.nlink ?? 1,
    size: info.size,
    // A time that the host cannot express counts as none.
    mtimeMs: info.mtime?.getTime() || 0,
    ctimeMs: (info.ctime ?? info.mtime)?.getTime() || 0,
    birthtimeMs: info.birthtime?.getTime() ?? null,
  };
}

function kindOf(
  info: Pick<Deno.DirEntry, "isFile" | "isDirectory" | "isSymlink">,
): Stat["kind"] {
  if (info.isSymlink) return "link";
  return info.isFile ? "file" : info.isDirectory ? "folder" : "other";
}
