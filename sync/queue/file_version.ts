/**
 * One version of a file of a watched folder, and the keys by which such files are
 * known (`watched_files.file_id`):
 *
 * ```text
 *   DEV:INO:BIRTH   a file, whatever its name
 *   path:PATH       a file whose system tells it from another by nothing but its name
 *   name:KEY|PATH   one name of a file that is known by another name as well
 *   late:KEY|PATH   a sidecar that came too late: no capture's file
 * ```
 *
 * @module
 */

import { type KnownIdentity, toColumns } from "./capture_row.ts";
import type { SqlValue } from "./sqlite.ts";

export interface FileVersion {
  path: string;
  key: string;
  size: number | null;
  mtimeMs: number | null;
  ctimeMs: number | null;
}

/** In the order in which every statement takes them. */
const COLUMNS = ["path", "key", "size", "mtimeMs", "ctimeMs"] as const;

export function versionOf(
  path: string,
  identity: KnownIdentity | undefined,
): FileVersion {
  const { fileId, ...version } = toColumns(identity);
  return { path, key: fileId ?? keyOfPath(path), ...version };
}

/** The values of `filepath`, `file_id`, `size`, `mtime_ms` and `ctime_ms`. */
export function versionValues(version: FileVersion): SqlValue[] {
  return COLUMNS.map((column) => version[column]);
}

export function isEqualVersion(a: FileVersion, b: FileVersion): boolean {
  return COLUMNS.every((column) => a[column] === b[column]);
}

export function keyOfPath(path: string): string {
  return `path:${path}`;
}

export function keyOfName(fileKey: string, path: string): string {
  return `name:${fileKey}|${path}`;
}

export function keyOfLateSidecar(fileKey: string, path: string): string {
  return `late:${fileKey}|${path}`;
}

export function isKeyOfName(key: string): boolean {
  return key.startsWith("name:");
}

/** The bounds of the keys of a file's names, whatever these are. */
export function keysOfNames(fileKey: string): [string, string] {
  // The character after "|" is "}".
  return [keyOfName(fileKey, ""), `name:${fileKey}}`];
}
