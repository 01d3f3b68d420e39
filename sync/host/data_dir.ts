import { messageOf } from "./message_of.ts";
import { dirname, join } from "@std/path";
import {
  ownPathsAt,
  ownPathsIn,
  QUEUE_FILE,
  queuePath,
} from "./data_dir_paths.ts";
import { statIfThere } from "./files.ts";
import { followOwnLinks } from "./links.ts";
import {
  assertDirectory,
  createPrivateDir,
  openNew,
  POSIX,
} from "./private_files.ts";
import { ifThere } from "./try_to.ts";

/**
 * Makes the data directory ready: it exists, belongs to this user with all that
 * this program keeps in it, and nobody else may look inside.
 *
 * A directory that was there before is closed to others only if it is empty or
 * already holds a queue, so that naming `/tmp` by mistake locks nobody out.
 *
 * @returns A sentence for each file or folder that was open to other users until now.
 * @throws {Error} if it cannot be created or written, belongs to another user, or
 * holds other things and is open to other users. The message says which.
 */
export function prepareDataDir(path: string): string[] {
  return naming(path, () => {
    followOwnLinks(path);
    createPrivateDir(path);
    const closed = closeToOthers(path);
    tryWriting(path);
    return closed;
  });
}

/** @throws {Error} if a data directory cannot be written to. The message says why. */
export function assertWritable(path: string): void {
  naming(path, () => tryWriting(path));
}

/** The reason why a data directory cannot be written to, with a remedy; `null` if it can. */
export function objectionToWriting(path: string): string | null {
  try {
    tryWriting(path);
    return null;
  } catch (error) {
    return obstacleTo(path, error);
  }
}

/**
 * Makes a file in a folder, which no agent takes for a capture, and removes it again.
 *
 * @throws {Error} the system's, if one of them cannot be done.
 */
export function tryWriting(path: string): void {
  const file = join(path, `.jarvis-${crypto.randomUUID()}`);
  openNew(file).close();
  Deno.removeSync(file);
}

/**
 * Whether a data directory holds a queue; changes nothing.
 *
 * @throws {Error} if it may not be looked into, or something else has its name.
 */
export function holdsQueue(path: string): boolean {
  return naming(path, () => {
    followOwnLinks(path);
    const size = statIfThere(queuePath(path))?.size ?? 0;
    if (size > 0) return true;
    const found = nearest(path);
    assertDirectory(found.path, found.info);
    if (found.path === path) assertOwn(path);
    return false;
  });
}

/**
 * Makes sure that a data directory is this user's, and changes nothing.
 *
 * @throws {Error} if it belongs to another user.
 */
export function assertOwnDataDir(path: string): void {
  naming(path, () => {
    followOwnLinks(path);
    [path, ...ownPathsIn(path)].forEach(ownMode);
  });
}

/**
 * Makes sure that a file, and the link that leads to it, is this user's: another one
 * could have put anything there. Returns its status.
 *
 * @throws {Error} if it belongs to another user.
 */
export function assertOwn(path: string): Deno.FileInfo {
  const info = assertMine(path, Deno.lstatSync(path));
  return info.isSymlink ? assertMine(path, Deno.statSync(path)) : info;
}

function assertMine(path: string, info: Deno.FileInfo): Deno.FileInfo {
  const uid = POSIX ? Deno.uid() : null;
  if (uid === null || info.uid === null || info.uid === uid) return info;
  throw new Error(
    `"${path}" belongs to another user (uid ${info.uid}, you are ${uid}), expected your own`,
  );
}

/** Adds to an error that it is about the data directory, and the obstacle. */
function naming<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new Error(
      `Cannot use the data directory "${path}": ${obstacleTo(path, cause)}`,
      { cause },
    );
  }
}

/** The obstacle to using a directory, with a remedy, where the system's own words do not say it. */
export function obstacleTo(path: string, error: unknown): string {
  try {
    const found = nearest(path);
    assertDirectory(found.path, found.info);
    if (error instanceof Deno.errors.PermissionDenied) {
      assertMine(found.path, found.info);
    }
    const { message, code } = error as Error & { code?: string };
    // One that this user may use is no obstacle: the message names the real one.
    const isUsable = POSIX && (found.info.mode! & 0o700) === 0o700;
    if (code === "EACCES" && isUsable) {
      return closedOf(ownPathsAt(found.path)) ?? message;
    }
    return OBSTACLES[code ?? ""]?.(found.path) ?? message;
  } catch (obstacle) {
    return messageOf(obstacle);
  }
}

/**
 * Does something in the spool.
 *
 * @throws {Error} that names the obstacle, with the system's as its cause.
 */
export function inSpool<T>(dir: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    const obstacle = obstacleTo(dir, cause);
    throw new Error(`Cannot use the spool: ${obstacle}`, { cause });
  }
}

/** The reasons why this user cannot use a folder, with remedies, by the system's error names. */
const OBSTACLES: Readonly<Record<string, (folder: string) => string>> = {
  EACCES: (folder) => expectedMode(folder, 0o700),
  EPERM: (folder) =>
    `nothing can be made in "${folder}" whatever its mode (EPERM), expected a directory that can be written to: "chattr -i" where "lsattr -d" shows an "i"`,
  ENOSPC: (folder) =>
    `no file can be made in "${folder}" (ENOSPC), expected room for one: "df" and "df -i" show whether bytes or inodes are used up`,
  EROFS: (folder) =>
    `"${folder}" is on a file system that is mounted read-only (EROFS), expected one that can be written to: "mount -o remount,rw", and see "dmesg" for why`,
};

/**
 * Returns an objection to the first of these paths whose mode keeps this user out;
 * `undefined` if none.
 */
export function closedOf(paths: string[]): string | undefined {
  for (const path of POSIX ? paths : []) {
    const info = statIfThere(path);
    const mode = info?.isDirectory ? 0o700 : 0o600;
    if (info && (info.mode! & mode) !== mode) return expectedMode(path, mode);
  }
}

function expectedMode(path: string, mode: number): string {
  return `this user may not read and write "${path}", expected mode ${
    mode.toString(8)
  }`;
}

/** A path, or the lowest folder on the way to it that there is, as far as this user can see. */
function nearest(path: string): { path: string; info: Deno.FileInfo } {
  try {
    return { path, info: Deno.lstatSync(path) };
  } catch (error) {
    const parent = dirname(path);
    if (parent === path) throw error;
    return nearest(parent);
  }
}

/** Closes the data directory; returns a sentence for each path that was open to other users. */
function closeToOthers(path: string): string[] {
  if (!POSIX) return [];
  assertOwn(path);
  const names = [...Deno.readDirSync(path)].map(({ name }) => name);
  const isOpen = (Deno.statSync(path).mode! & 0o077) !== 0;
  if (isOpen && names.length > 0 && !names.includes(QUEUE_FILE)) {
    throw new Error(
      "it holds other things and other users may read it; expected an empty directory, " +
        "one that is only yours, or one that this program made",
    );
  }
  return [Deno.realPathSync(path), ...ownPathsIn(path)].flatMap((path) => {
    const mode = ownMode(path);
    if ((mode & 0o077) === 0 || isElsewhere(path)) return [];
    Deno.chmodSync(path, mode & 0o700);
    return [
      `"${path}" was open to other users (mode ${
        mode.toString(8)
      }), it is closed now`,
    ];
  });
}

/** The permissions of an entry of this user's; none if it is gone by now. */
function ownMode(path: string): number {
  return (ifThere(() => assertOwn(path))?.mode ?? 0) & 0o777;
}

/** Whether it is a link, or a device: its target is not ours to close. */
function isElsewhere(path: string): boolean {
  const { isFile, isDirectory } = Deno.lstatSync(path);
  return !isFile && !isDirectory;
}
