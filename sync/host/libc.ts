/**
 * Functions of the C library for which Deno has no counterpart.
 *
 * @module
 */

import { tryTo } from "./try_to.ts";

/** As 64-bit Linux has them. */
const SYMBOLS = {
  statvfs: { parameters: ["buffer", "buffer"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // It may have to wait for the other side.
  sendto: {
    parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"],
    result: "isize",
    nonblocking: true,
  },
  close: { parameters: ["i32"], result: "i32" },
  malloc_trim: { parameters: ["usize"], result: "i32" },
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  statx: {
    parameters: ["i32", "buffer", "i32", "u32", "buffer"],
    result: "i32",
  },
  getdents64: {
    name: "syscall",
    parameters: ["i64", "i32", "buffer", "usize"],
    result: "i64",
  },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  preadAside: {
    name: "pread",
    parameters: ["i32", "buffer", "usize", "i64"],
    result: "isize",
    nonblocking: true,
  },
  fcntl: { parameters: ["i32", "i32", "i64"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "i64"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  renameat2: {
    name: "syscall",
    parameters: ["i64", "i32", "buffer", "i32", "buffer", "u32"],
    result: "i64",
  },
  linkat: {
    parameters: ["i32", "buffer", "i32", "buffer", "i32"],
    result: "i32",
  },
  fsync: { parameters: ["i32"], result: "i32" },
  fstatfs: { parameters: ["i32", "buffer"], result: "i32" },
  inotify_init1: { parameters: ["i32"], result: "i32" },
  inotify_add_watch: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  inotify_rm_watch: { parameters: ["i32", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  pollAside: {
    name: "poll",
    parameters: ["buffer", "u64", "i32"],
    result: "i32",
    nonblocking: true,
  },
  signal: { parameters: ["i32", "usize"], result: "usize" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The functions; one that fails returns -1, and {@linkcode lastErrno} says why. */
type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** `undefined` where they are not to be had: no Linux, no glibc, or no permission. */
export const libc: Libc | undefined = load();

/** Returns a text as bytes that can be handed over. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  // A copy: in older Denos the type of the other one does not name its kind of memory.
  return new Uint8Array(new TextEncoder().encode(text));
}

/**
 * Returns a text as a string of C, which a zero ends.
 *
 * @throws {TypeError} if the text itself holds one.
 */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  if (text.includes("\0")) {
    throw new TypeError("Cannot use a name with a NUL character in it");
  }
  return bytesOf(`${text}\0`);
}

/** The `errno` of the last call on this thread. */
export function lastErrno(): number {
  return new Deno.UnsafePointerView(libc!.__errno_location()!).getInt32();
}

/** The errors that a caller acts on: their names, and their meanings in plain words. */
const ERRORS: Readonly<Record<number, [code: string, meaning?: string]>> = {
  1: ["EPERM", "permission denied"],
  2: ["ENOENT", "no such file or folder"],
  5: ["EIO", "the disk reports an error"],
  6: ["ENXIO", "it is a socket, or a device that is not there"],
  11: ["EAGAIN"],
  13: ["EACCES", "permission denied"],
  17: ["EEXIST", "something has this name"],
  18: ["EXDEV", "it is on another file system, or outside the folder"],
  20: [
    "ENOTDIR",
    "a file or a link is on the way where a folder is expected",
  ],
  21: ["EISDIR", "it is a folder"],
  22: ["EINVAL"],
  23: ["ENFILE", "too many files are open on this system"],
  24: ["EMFILE", "too many files are open"],
  28: ["ENOSPC", "the disk is full"],
  30: ["EROFS", "the file system is read-only"],
  36: ["ENAMETOOLONG", "the name is too long"],
  38: ["ENOSYS"],
  40: ["ELOOP", "a symbolic link is on the way"],
  95: ["EOPNOTSUPP"],
  116: ["ESTALE"],
  122: ["EDQUOT", "this user's share of the disk is used up"],
};

/**
 * Returns the error that Deno itself would throw for an `errno`, with its name as
 * `code`.
 *
 * @param doing The action that failed, like `open "/x"`.
 */
export function systemError(
  errno: number,
  doing: string,
): Error & { code: string } {
  const [code, meaning = code] = ERRORS[errno] ?? [`errno ${errno}`];
  const message = `Cannot ${doing}: ${meaning}`;
  const error = code === "ENOENT"
    ? new Deno.errors.NotFound(message)
    : code === "EEXIST"
    ? new Deno.errors.AlreadyExists(message)
    : code === "EACCES" || code === "EPERM"
    ? new Deno.errors.PermissionDenied(message)
    : new Error(message);
  return Object.assign(error, { code });
}

function load(): Libc | undefined {
  if (Deno.build.os !== "linux") return undefined;
  return tryTo(() => Deno.dlopen("libc.so.6", SYMBOLS))?.symbols;
}
