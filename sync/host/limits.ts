import { cString, libc } from "./libc.ts";

const RLIMIT_NOFILE = 7;
const AT_FDCWD = -100;

/** What this system allows a process of this user; `null` where it cannot be told. */
export interface Limits {
  openFiles: number | null;
  inotifyWatches: number | null;
}

/** Asks this system for its limits. */
export function readLimits(): Limits {
  const limits = new BigUint64Array(2);
  const isTold = libc?.getrlimit(RLIMIT_NOFILE, limits) === 0;
  const watches = readSystemFile("/proc/sys/fs/inotify/max_user_watches");
  return {
    openFiles: isTold ? Number(limits[0]) : null,
    inotifyWatches: watches === null ? null : Number(watches),
  };
}

/** Deno itself reads nothing below /proc without all permissions. */
function readSystemFile(path: string): string | null {
  if (!libc) return null;
  const fd = libc.openat(AT_FDCWD, cString(path), 0, 0);
  if (fd < 0) return null;
  const bytes = new Uint8Array(64);
  const length = Number(libc.read(fd, bytes, BigInt(bytes.length)));
  libc.close(fd);
  return length > 0
    ? new TextDecoder().decode(bytes.subarray(0, length)).trim()
    : null;
}
