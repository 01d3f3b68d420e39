/**
 * Files and folders by their descriptors, through Linux's system calls. Each failure
 * throws a {@linkcode systemError}.
 *
 * @module
 */

import { cString, lastErrno, libc, systemError } from "./libc.ts";
import { undoUmask } from "./private_files.ts";

/** Stands for the current folder where a folder's descriptor is expected. */
export const AT_FDCWD = -100;

const IS_ARM = Deno.build.arch === "aarch64";
/** Their values differ by architecture. */
const O_DIRECTORY = IS_ARM ? 0o40000 : 0o200000;
const O_NOFOLLOW = IS_ARM ? 0o100000 : 0o400000;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const O_CREATE_NEW = 0o1 | 0o100 | 0o200; // O_WRONLY | O_CREAT | O_EXCL

const SYS_RENAMEAT2 = IS_ARM ? 276n : 316n;
const SYS_GETDENTS64 = IS_ARM ? 61n : 217n;
const RENAME_NOREPLACE = 1;
const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_ALL = 0xfff;
const ENOENT = 2;
const F_SETLEASE = 1024;
const F_SETSIG = 10;
/** Nothing happens to a process that does not handle it. */
const SIGURG = 23n;
const [F_RDLCK, F_UNLCK] = [0n, 2n];
const [EINVAL, ENOSYS] = [22, 38];
const FICLONE = 0x40049409n;

/** The result of {@linkcode statOf} and {@linkcode statAt}. Times are whole milliseconds since 1970. */
export interface Stat {
  kind: "file" | "folder" | "link" | "other";
  /**
   * Device, inode and, where the file system keeps it, time of birth, as `DEV:INO` or
   * `DEV:INO:BIRTH` in hexadecimal: a number that is free is given to the next file.
   */
  fileId: string;
  /** Permissions, as `chmod` takes them; `null` where the system has none. */
  mode: number | null;
  /** `null` where the system does not tell. */
  uid: number | null;
  /** How many names it has. */
  links: number;
  size: number;
  mtimeMs: number;
  ctimeMs: number;
  /** `null` where the file system does not keep it. */
  birthtimeMs: number | null;
}

export interface OpenAtOptions {
  /** Whether it is to be a folder. @default {false} */
  folder?: boolean;
  /** Whether the last name may not be a link. @default {false} */
  noFollow?: boolean;
}

/** Opens for reading; a pipe is not waited for. */
export function openAt(
  folder: number,
  path: string,
  options: OpenAtOptions = {},
): number {
  const flags = O_CLOEXEC | O_NONBLOCK |
    (options.folder ? O_DIRECTORY : 0) | (options.noFollow ? O_NOFOLLOW : 0);
  const fd = libc!.openat(folder, cString(path), flags, 0);
  return checked(fd, `open "${path}"`);
}

/** Closes a descriptor, once. */
export function close(fd: number): void {
  libc!.close(fd);
}

/** Returns the status of an open descriptor. */
export function statOf(fd: number): Stat {
  const bytes = new Uint8Array(256);
  const result = libc!.statx(fd, cString(""), AT_EMPTY_PATH, STATX_ALL, bytes);
  checked(result, "look at an open file");
  return toStat(bytes);
}

/**
 * Returns the status of a name in a folder, of a link's target if `follow` is set;
 * `undefined` if there is none.
 */
export function statAt(
  folder: number,
  name: string,
  options: { follow?: boolean } = {},
): Stat | undefined {
  const bytes = new Uint8Array(256);
  const flags = options.follow ? 0 : AT_SYMLINK_NOFOLLOW;
  const result = libc!.statx(folder, cString(name), flags, STATX_ALL, bytes);
  // No error: most names that are asked for do not exist.
  if (result < 0 && lastErrno() === ENOENT) return undefined;
  checked(result, `look at "${name}"`);
  return toStat(bytes);
}

function toStat(bytes: Uint8Array<ArrayBuffer>): Stat {
  const view = new DataView(bytes.buffer);
  const mode = view.getUint16(28, true);
  return {
    kind: KINDS[mode & 0o170000] ?? "other",
    fileId: fileIdOf(view),
    mode: mode & 0o7777,
    uid: view.getUint32(20, true),
    links: view.getUint32(16, true),
    size: Number(view.getBigUint64(40, true)),
    mtimeMs: timeAt(view, 112),
    ctimeMs: timeAt(view, 96),
    birthtimeMs: timeAt(view, 80) || null,
  };
}

function fileIdOf(view: DataView): string {
  const device = [136, 140].map((at) => view.getUint32(at, true).toString(16));
  const [seconds, nanoseconds] = [
    view.getBigInt64(80, true),
    view.getUint32(88, true),
  ];
  const birth = seconds * 1_000_000_000n + BigInt(nanoseconds);
  return [
    device.join("."),
    view.getBigUint64(32, true).toString(16),
    ...(birth === 0n ? [] : [birth.toString(16)]),
  ].join(":");
}

/** By the type in a file's mode. */
const KINDS: Readonly<Record<number, Stat["kind"]>> = {
  0o100000: "file",
  0o040000: "folder",
  0o120000: "link",
};

function timeAt(view: DataView, at: number): number {
  const seconds = Number(view.getBigInt64(at, true));
  const ms = seconds * 1000 + Math.floor(view.getUint32(at + 8, true) / 1e6);
  // A time that no date can express counts as none.
  return Math.abs(ms) <= 8.64e15 ? ms : 0;
}

/** Reads at an offset; returns how many bytes, 0 at the end. */
export function readAt(fd: number, into: Uint8Array, offset: number): number {
  const bytes = into as Uint8Array<ArrayBuffer>;
  const read = libc!.pread(fd, bytes, BigInt(into.length), BigInt(offset));
  return checked(Number(read), "read");
}

/** Like {@linkcode readAt}, on another thread: a disk may take its time. */
export async function readAtAside(
  fd: number,
  into: Uint8Array,
  offset: number,
): Promise<number> {
  const bytes = into as Uint8Array<ArrayBuffer>;
  const length = BigInt(into.length);
  const read = await libc!.preadAside(fd, bytes, length, BigInt(offset));
  // Only the other thread knows the reason; this one will fail alike.
  return read < 0 ? readAt(fd, into, offset) : Number(read);
}

/**
 * Whether somebody has a file open for writing; `undefined` where the system
 * does not tell (another user's file, a network file system).
 */
export function isOpenForWriting(fd: number): boolean | undefined {
  // A program that opens the file meanwhile makes the kernel send a signal, by default
  // SIGIO, which would end this process.
  libc!.fcntl(fd, F_SETSIG, SIGURG);
  if (libc!.fcntl(fd, F_SETLEASE, F_RDLCK) === 0) {
    libc!.fcntl(fd, F_SETLEASE, F_UNLCK);
    return false;
  }
  const EAGAIN = 11;
  return lastErrno() === EAGAIN ? true : undefined;
}

/**
 * Makes a new file, for this user alone, that shares another one's bytes, or is empty
 * where the file system cannot do that; returns whether it can.
 */
export function cloneTo(fd: number, path: string): boolean {
  const flags = O_CREATE_NEW | O_NOFOLLOW | O_CLOEXEC;
  const to = libc!.openat(AT_FDCWD, cString(path), flags, 0o600);
  checked(to, `create "${path}"`);
  undoUmask(path, 0o600, statOf(to).mode);
  const isDone = libc!.ioctl(to, FICLONE, BigInt(fd)) === 0;
  close(to);
  return isDone;
}

/** Makes a file's bytes, or a folder's names, durable. */
export function sync(fd: number): void {
  checked(libc!.fsync(fd), "write to the disk");
}

/** Removes the file of this name from a folder. */
export function unlinkAt(folder: number, name: string): void {
  checked(libc!.unlinkat(folder, cString(name), 0), `remove "${name}"`);
}

/** Gives a file another name, which nothing may have. */
export function renameAt(
  folder: number,
  name: string,
  to: { folder: number; name: string },
): void {
  const doing = `rename "${name}" to "${to.name}"`;
  const ways = [folder, cString(name), to.folder, cString(to.name)] as const;
  const { renameat2, linkat } = libc!;
  const renamed = renameat2(SYS_RENAMEAT2, ...ways, RENAME_NOREPLACE);
  // Some network file systems rename only with replacing.
  if (Number(renamed) < 0 && [EINVAL, ENOSYS].includes(lastErrno())) {
    checked(linkat(...ways, 0), doing);
    return unlinkAt(folder, name);
  }
  checked(Number(renamed), doing);
}

/** Reads on in an open folder; returns how many bytes of entries, 0 at the end. */
export function readEntries(
  folder: number,
  into: Uint8Array<ArrayBuffer>,
): number {
  const length = BigInt(into.length);
  const read = libc!.getdents64(SYS_GETDENTS64, folder, into, length);
  return checked(Number(read), "list the folder");
}

function checked(result: number, doing: string): number {
  if (result < 0) throw systemError(lastErrno(), doing);
  return result;
}
