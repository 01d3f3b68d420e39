/**
 * The names of the files beside a queue.
 *
 * @module
 */

import { basename, dirname, resolve } from "@std/path";

/** The ends of the names of SQLite's files beside a database, in the order in which they must be moved. */
export const COMPANIONS = ["-wal", "-shm", "-journal"];

/** The end of the name of a damaged queue not all of which could be read. */
export const INCOMPLETE = "-incomplete";

/** The file for the content of a queue's lost -wal. */
export function lostPath(path: string, name: string): string {
  return `${path}.lost-${name}`;
}

/** A damaged queue whose rows are still to be copied. */
export function movedPath(path: string, stamp: string): string {
  return `${path}.repair-${stamp}`;
}

/** A damaged queue whose rows are copied. */
export function keptPath(path: string, stamp: string): string {
  return `${path}.corrupt-${stamp}`;
}

/** The damaged queues that were set aside and are still there, by their names. */
export function queuesSetAside(path: string): string[] {
  const prefix = basename(keptPath(path, ""));
  return namesBeside(path)
    .filter((name) => name.startsWith(prefix) && withoutEnd(name) === name)
    .sort();
}

/** Whether not all of a damaged queue could be read that was set aside under this name. */
export function isIncomplete(name: string): boolean {
  return name.endsWith(INCOMPLETE);
}

/** The names of everything that is in the folder of a queue. */
export function namesBeside(path: string): string[] {
  return [...Deno.readDirSync(dirname(resolve(path)))].map(({ name }) => name);
}

/** The name of the database that a file belongs to, by its own. */
export function withoutEnd(name: string): string {
  return name.replace(/-(wal|shm|journal)$/, "");
}
