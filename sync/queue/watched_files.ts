/**
 * Which files of watched folders were taken over. Each stands there once, as it was
 * when it was last taken over or delivered: a file that is written anew is another
 * capture, also if it has the content of an earlier one again.
 *
 * A file counts as the same if device and inode, size and both times are those that
 * are known. Where some of that differs (a file that was touched, restored, or is on
 * a disk that was mounted anew) the content decides, which only the caller can read.
 *
 * @module
 */

import { identityValues, type KnownIdentity, whole } from "./capture_row.ts";
import type { Row, SqlValue } from "./sqlite.ts";
import type { Statements } from "./statements.ts";

/** Where a file of a watched folder stands that was taken over. */
export type WatchedState = "queued" | "delivered" | "removed";

/** A file of a watched folder, as it is now. */
export interface SeenFile {
  path: string;
  identity: KnownIdentity;
}

/** Remembers a file that is taken over; replaces what was known of it. */
export function addWatched(
  sql: Statements,
  capture: {
    id: string;
    filepath: string;
    identity?: KnownIdentity;
    sha256?: string | null;
  },
  nowMs: number,
): void {
  const { id, filepath, sha256 = null } = capture;
  const known = knownValues(filepath, capture.identity);
  sql.addWatched.run(id, filepath, ...known, sha256, nowMs);
}

/** The result of looking a file up. */
export interface Known {
  /** `"in doubt"` if its content must be known; `undefined` if it is new. */
  state: WatchedState | "in doubt" | undefined;
  /** What `setNow` needs, if the file has another name or number than before. */
  change?: SqlValue[];
}

/** Looks a file up by its identity alone. */
export function lookUp(sql: Statements, file: SeenFile): Known {
  for (const row of candidates(sql, file)) {
    const answer = compare(row, file);
    if (answer === "other") continue;
    if (answer === "in doubt") return { state: answer };
    const now = [file.path, ...knownValues(file.path, file.identity)];
    const { filepath, file_id, size, mtime_ms, ctime_ms } = row;
    // Until its content is known, a change of it can only be seen by this.
    if (row.sha256 === null && ctime_ms !== null) now[4] = whole(ctime_ms);
    const isUpToDate = [filepath, file_id, size, mtime_ms, ctime_ms]
      .every((value, n) => value === now[n]);
    const state = row.state as WatchedState;
    return isUpToDate ? { state } : { state, change: [...now, whole(row.n)] };
  }
  return { state: undefined };
}

/** Knows a file by another name or number from now on; if it waits without a copy, it is sent from there. */
export function setNow(sql: Statements, change: SqlValue[]): void {
  sql.watchedIsNow.run(...change);
  sql.uncopiedIsAt.run(change[0]!, change.at(-1)!);
}

/** Where a file stands whose content is known; from then on it is that file. */
export function stateByContent(
  sql: Statements,
  file: SeenFile,
  sha256: string,
): WatchedState | undefined {
  for (const row of candidates(sql, file)) {
    if (row.sha256 !== sha256) continue;
    const now = knownValues(file.path, file.identity);
    setNow(sql, [file.path, ...now, whole(row.n)]);
    return row.state as WatchedState;
  }
}

/** What tells a file from others. */
export function fileKey({ path, identity }: SeenFile): SqlValue {
  return knownValues(path, identity)[0]!;
}

/** The values of an identity; a file without device and inode number is told apart by its path. */
function knownValues(path: string, identity?: KnownIdentity): SqlValue[] {
  const [fileId, ...version] = identityValues(identity);
  return [fileId ?? `path:${path}`, ...version];
}

/** The rows of this file, and of the last file with this path. */
function* candidates(sql: Statements, file: SeenFile): Generator<Row> {
  const [key] = knownValues(file.path, file.identity);
  const byFile = sql.watchedFile.get(key!);
  if (byFile) yield byFile;
  const byPath = sql.watchedPath.get(file.path);
  if (byPath && byPath.n !== byFile?.n) yield byPath;
}

function compare(
  row: Row,
  { path, identity }: SeenFile,
): "same" | "other" | "in doubt" {
  // Another size is another content.
  if (row.size !== null && whole(row.size) !== identity.size) return "other";
  const [key, , mtimeMs, ctimeMs] = knownValues(path, identity);
  const isUnnumbered = [row.file_id, key].includes(`path:${path}`);
  const isSameName = row.filepath === path;
  const isSameFile = row.file_id === key || (isUnnumbered && isSameName);
  const isUntouched = ctimeMs === null || row.ctime_ms === null ||
    whole(row.ctime_ms) === ctimeMs;
  // A ctime cannot be set by a program; device numbers may change with a mount.
  const isSame = isSameFile
    ? isUntouched || row.sha256 === null
    : isUntouched && isSameName && ctimeMs !== null && row.ctime_ms !== null;
  if (isSame && whole(row.mtime_ms) === mtimeMs) return "same";
  // Without a hash the content cannot be compared.
  return row.sha256 === null ? "other" : "in doubt";
}
