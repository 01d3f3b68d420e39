/**
 * The paths in the data directory.
 *
 * @module
 */

import { join } from "@std/path";
import { isFolder } from "./files.ts";

/** The database's name in the data directory. */
export const QUEUE_FILE = "queue.db";

/** The names of this program's own entries in the data directory, and in its spool. */
const OWN_NAMES = /^(queue\.db.*|agent\.(lock|heartbeat)|spool)$/;
const SPOOL_NAMES = /^(records\.jsonl.*|orphans|[0-9a-f]{2})$/;

/** The path of the queue in a data directory. */
export function queuePath(path: string): string {
  return join(path, QUEUE_FILE);
}

/** The folder of a data directory that holds the copies of captures. */
export function spoolDir(path: string): string {
  return join(path, "spool");
}

/** The folder of a spool for files that belong to no capture. */
export function orphansDir(spool: string): string {
  return join(spool, "orphans");
}

/** The files of a data directory that are no single capture's, whether they are there or not. */
export function sharedFilesOf(path: string): string[] {
  return [
    ...["", "-wal", "-shm", "-reserve"].map((end) => QUEUE_FILE + end),
    "agent.lock",
    join("spool", "records.jsonl"),
  ].map((name) => join(path, name));
}

/** The paths of this program's own entries in a data directory that are there. */
export function ownPathsAt(path: string): string[] {
  return matching(path, OWN_NAMES);
}

/** As {@linkcode ownPathsAt}, those in the spool too. */
export function ownPathsIn(path: string): string[] {
  const spool = spoolDir(path);
  return [
    ...ownPathsAt(path),
    ...isFolder(spool) ? matching(spool, SPOOL_NAMES) : [],
  ];
}

function matching(path: string, names: RegExp): string[] {
  return [...Deno.readDirSync(path)].filter(({ name }) => names.test(name))
    .map(({ name }) => join(path, name));
}
