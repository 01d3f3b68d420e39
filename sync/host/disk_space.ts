import { cString, libc } from "./libc.ts";

// Loading it takes as long as a whole short command.
const node = libc ? undefined : await import("node:fs");

/** The places of the fields in a `struct statvfs`, in words of 64 bits. */
const FRAGMENT_BYTES = 1;
const FREE_FRAGMENTS = 4;
/** More than it has. */
const WORDS = 32;

/** What a disk has, in bytes. */
export interface DiskSpace {
  /** What this user may still write to it. */
  freeBytes: number;
  /** The least that a file takes. */
  blockBytes: number;
}

/**
 * Returns how many bytes this user may still write to the disk that a path is on.
 *
 * @throws {Error} if there is no such path, or it cannot be told.
 */
export function freeBytes(path: string): number {
  return diskSpace(path).freeBytes;
}

/** Returns what the disk has that a path is on; throws as {@linkcode freeBytes} does. */
export function diskSpace(path: string): DiskSpace {
  if (node) {
    const { bavail, bsize } = node.statfsSync(path);
    return { freeBytes: bavail * bsize, blockBytes: bsize };
  }
  const info = new BigUint64Array(WORDS);
  if (libc!.statvfs(cString(path), info) !== 0) {
    throw new Error(`Cannot tell how much room is left at "${path}"`);
  }
  const blockBytes = Number(info[FRAGMENT_BYTES]!);
  return { freeBytes: blockBytes * Number(info[FREE_FRAGMENTS]!), blockBytes };
}
