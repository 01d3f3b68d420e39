/**
 * Makes files and folders for this user alone, under any umask: all that this program
 * makes for itself comes from here.
 *
 * @module
 */

import { dirname } from "@std/path";
import { isFolder, removeIfThere, syncDir, writeAll } from "./files.ts";
import { closeOnError } from "./try_to.ts";

/** Whether this system has POSIX permissions. */
export const POSIX = Deno.build.os !== "windows";
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

/**
 * Creates a directory, and its parents, so that it survives a power cut; one that
 * exists stays as it is.
 *
 * @throws {Error} if something else has the name, or it cannot be made.
 */
export function createPrivateDir(path: string): void {
  if (isFolder(path)) return;
  const parent = dirname(path);
  if (parent !== path) createPrivateDir(parent);
  try {
    Deno.mkdirSync(path, { mode: FOLDER_MODE });
    undoUmask(path, FOLDER_MODE, Deno.lstatSync(path).mode);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    // Another process may have been faster.
    assertDirectory(path, Deno.lstatSync(path));
  }
  syncDir(parent);
}

/** Makes a directory of its own in the system's temporary one. */
export function makePrivateTempDir(prefix: string): string {
  const path = Deno.makeTempDirSync({ prefix });
  undoUmask(path, FOLDER_MODE, Deno.lstatSync(path).mode);
  return path;
}

/** @throws {Error} if a path that leads to `info` does not lead to a directory. */
export function assertDirectory(path: string, info: Deno.FileInfo): void {
  if (isFolder(path)) return;
  const what = info.isSymlink ? "a link that leads to none" : "a file";
  throw new Error(`"${path}" is ${what}, expected a directory`);
}

/**
 * Creates an empty file, so that it survives a power cut. One that exists is closed
 * to others.
 *
 * @throws {Error} if something else than a file has this name.
 */
export function createPrivateFile(path: string): void {
  try {
    openNew(path).close();
    syncDir(dirname(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    const info = Deno.statSync(path);
    if (!info.isFile) throw new Error("it is not a file");
    // By name, not opened: closing it would drop the locks that SQLite holds.
    if (POSIX && info.mode !== null && (info.mode & 0o077) !== 0) {
      Deno.chmodSync(path, FILE_MODE);
    }
  }
}

/**
 * Makes a file that must not be there yet, and opens it for writing.
 *
 * @param mode Its mode; 0600 by default.
 * @throws {Deno.errors.AlreadyExists} if something has the name.
 */
export function openNew(path: string, mode = FILE_MODE): Deno.FsFile {
  const file = Deno.openSync(path, { createNew: true, write: true, mode });
  return withMode(file, path, mode);
}

/** Opens a file; makes it if there is none. */
export function openPrivate(
  path: string,
  options: Pick<Deno.OpenOptions, "append" | "truncate"> = {},
): Deno.FsFile {
  const write = !options.append;
  const all = { ...options, write, create: true, mode: FILE_MODE };
  return withMode(Deno.openSync(path, all), path, FILE_MODE);
}

/** Writes a file; one that is there is replaced. It is on the disk then. */
export function writeFileDurably(path: string, data: Uint8Array): void {
  using file = openPrivate(path, { truncate: true });
  writeAll(file, data);
  file.syncSync();
}

/**
 * Replaces a file as a whole, or not at all. Others may write in its folder: nobody
 * can foretell the name under which it is written, and no link is followed there.
 */
export function replaceFile(path: string, text: string, mode: number): void {
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    {
      using file = openNew(temporary, mode);
      writeAll(file, new TextEncoder().encode(text));
    }
    Deno.renameSync(temporary, path);
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
}

/**
 * Gives a file or folder that was just made the permissions back that the umask took.
 *
 * @param found The mode that it has; `null` where the system has none.
 */
export function undoUmask(
  path: string,
  mode: number,
  found: number | null,
): void {
  if (POSIX && found !== null && (found & mode) !== mode) {
    Deno.chmodSync(path, mode);
  }
}

function withMode(file: Deno.FsFile, path: string, mode: number): Deno.FsFile {
  return closeOnError(file, () => undoUmask(path, mode, file.statSync().mode));
}
