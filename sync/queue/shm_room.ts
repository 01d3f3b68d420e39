import { dirname, resolve } from "@std/path";
import { diskSpace } from "../host/disk_space.ts";
import { tryTo } from "../host/try_to.ts";

/** For room SQLite writes one byte in so many to a -shm. */
const STEP_BYTES = 4096;
/** A -shm has regions of this size, in bytes, */
const REGION_BYTES = 32 * 1024;
/** each for so many frames of the -wal, but for its header in the first one, */
const REGION_FRAMES = 4096;
const HEADER_FRAMES = 34;
/** of which each has this size, in bytes. */
const FRAME_BYTES = 4096 + 24;
/** Must stay free besides, in bytes: other programs may write meanwhile. */
const MARGIN_BYTES = 256 * 1024;

/**
 * The reason why a database must not be opened or written to now, if its -shm may find
 * no room. Where a block of the disk is smaller than the steps in which SQLite makes a
 * -shm grow, the file has holes, and to write to one on a full disk is no error but the
 * end of the process (SIGBUS). What a quota leaves to a user is not known.
 *
 * @param growth By how much the -wal may grow, in bytes.
 */
export function lackOfShmRoom(
  path: string,
  growth: number,
): string | undefined {
  // If it cannot be told, SQLite finds out why.
  const disk = tryTo(() => diskSpace(dirname(resolve(path))));
  if (!disk || disk.blockBytes >= STEP_BYTES) return undefined;
  const walBytes = (statOf(`${path}-wal`)?.size ?? 0) + growth;
  const frames = walBytes / FRAME_BYTES + HEADER_FRAMES;
  const regions = Math.ceil(frames / REGION_FRAMES);
  // Its holes have no blocks.
  const allocated = 512 * (statOf(`${path}-shm`)?.blocks ?? 0);
  const lacking = regions * REGION_BYTES - allocated;
  const needed = lacking + growth + MARGIN_BYTES;
  if (lacking <= 0 || disk.freeBytes >= needed) return undefined;
  return `the disk is full: it has ${disk.freeBytes} bytes left, and the queue needs ${needed}`;
}

/** `undefined` if it is not there, or SQLite has to find out what is wrong. */
function statOf(path: string): Deno.FileInfo | undefined {
  return tryTo(() => Deno.statSync(path));
}
