/**
 * The paths in the data directory.
 *
 * @module
 */

import { join } from "@std/path";
import { isFolder } from "./files.ts";

/** The names in the data directory. */
export const QUEUE_FILE = "queue.db";
export const LOCK_FILE = "agent.lock";
export const HEARTBEAT_FILE = "agent.heartbeat";
const SPOOL = "spool";

/** The names in the spool, besides those of the folders that hold the captures' bytes. */
export const RECORDS_FILE = "records.jsonl";
const ORPHANS = "orphans";
const IN_USE = "in-use";
/** The names of those folders. */
export const SHARD = /^[0-9a-f]{2}$/;

/** The end of the name of the file that reserves room for a queue, after the queue's own. */
export const RESERVE = "-reserve";

/** The path of the queue in a data directory. */
export function queuePath(path: string): string {
  return join(path, QUEUE_FILE);
}

/** The folder of a data directory that holds the copies of captures. */
export function spoolDir(path: string): string {
  return join(path, SPOOL);
}

/** The folder of a spool for files that belong to no capture. */
export function orphansDir(spool: string): string {
  return join(spool, ORPHANS);
}

/** The folder of a spool with a file for each process that works in it. */
export function occupantsDir(spool: string): string {
  return join(spool, IN_USE);
}

/** The files of a data directory that are no single capture's, whether they are there or not. */
export function sharedFilesOf(path: string): string[] {
  return [
    ...["", "-wal", "-shm", RESERVE].map((end) => QUEUE_FILE + end),
    LOCK_FILE,
    join(SPOOL, RECORDS_FILE),
  ].map((name) => join(path, name));
}

/** The paths of this program's own entries in a data directory that are there. */
export function ownPathsAt(path: string): string[] {
  return matching(path, (name) =>
    name.startsWith(QUEUE_FILE) ||
    [LOCK_FILE, HEARTBEAT_FILE, SPOOL].includes(name));
}

/** As {@linkcode ownPathsAt}, those in the spool too. */
export function ownPathsIn(path: string): string[] {
  const spool = spoolDir(path);
  return [
    ...ownPathsAt(path),
    ...isFolder(spool) ? matching(spool, isInSpool) : [],
  ];
}

function isInSpool(name: string): boolean {
  return name.startsWith(RECORDS_FILE) || [ORPHANS, IN_USE].includes(name) ||
    SHARD.test(name);
}

function matching(path: string, isOwn: (name: string) => boolean): string[] {
  return [...Deno.readDirSync(path)].filter(({ name }) => isOwn(name))
    .map(({ name }) => join(path, name));
}
