import { libc } from "../../host/libc.ts";
import { readSmallText } from "../../host/small_file.ts";
import { tryTo } from "../../host/try_to.ts";

const RLIMIT_NOFILE = 7;
const MAX_WATCHES = "/proc/sys/fs/inotify/max_user_watches";

/** The system's limits for a process of this user; `null` where they cannot be told. */
export interface Limits {
  openFiles: number | null;
  inotifyWatches: number | null;
}

/** Asks this system for its limits. */
export function readLimits(): Limits {
  const limits = new BigUint64Array(2);
  const isTold = libc?.getrlimit(RLIMIT_NOFILE, limits) === 0;
  return {
    openFiles: isTold ? Number(limits[0]) : null,
    inotifyWatches: tryTo(() => Number(readSmallText(MAX_WATCHES))) ?? null,
  };
}
