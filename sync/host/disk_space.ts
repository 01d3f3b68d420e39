import { cString, libc } from "./libc.ts";

// Loading it takes as long as a whole short command.
const node = libc ? undefined : await import("node:fs");

/** The places of the fields in a `struct statvfs`, in words of 64 bits. */
const FRAGMENT_BYTES = 1;
const FREE_FRAGMENTS = 4;
/** More than it has. */
const WORDS = 32;

/**
 * Returns how many bytes this user may still write to the disk that a path is on.
 *
 * @throws {Error} if there is no such path, or it cannot be told.
 */
export function freeBytes(path: string): number {
  if (node) {
    const { bavail, bsize } = node.statfsSync(path);
    return bavail * bsize;
  }
  const info = new BigUint64Array(WORDS);
  if (libc!.statvfs(cString(path), info) !== 0) {
    throw new Error(`Cannot tell how much room is left at "${path}"`);
  }
  return Number(info[FRAGMENT_BYTES]! * info[FREE_FRAGMENTS]!);
}
