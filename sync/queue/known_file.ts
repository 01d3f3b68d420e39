import { sha256Of } from "../host/sha256.ts";
import type { CaptureRow, KnownIdentity } from "./capture_row.ts";
import {
  type FileVersion,
  isEqualVersion,
  isKeyOfName,
  keyOfName,
  keyOfPath,
  keysOfNames,
  versionOf,
} from "./file_version.ts";
import type { Statements } from "./statements.ts";

/** The state of a watched file that was taken over. */
export type WatchedState = "queued" | "delivered" | "removed";

/** A file of a watched folder, as it is now. */
export interface SeenFile {
  path: string;
  identity: KnownIdentity;
  /** Whether a sidecar is beside it. @default {none is looked for} */
  hasMetadata?: () => boolean;
  /** Those of its sidecar, or `{}`, once they were read. */
  metadataJson?: string;
  /** Whether it may be another disk's file, though all that is known of it is the same. @default {false} */
  isUnsure?: boolean;
}

/** Whether a path leads to the file with this device and inode, `fileId`. */
export type IsAt = (path: string, fileId: string) => boolean;

/** A row of `watched_files`. */
export interface KnownFile extends FileVersion {
  /** The number of the row. */
  n: number;
  /** Of its capture. */
  id: string;
  state: WatchedState;
  sha256: string | null;
  /** The hash of the metadata it was delivered with; `null` if not known. */
  metadataSha256: string | null;
}

/** A row of `watched_files` as it has to be. */
export type ChangedFile = FileVersion & Pick<KnownFile, "n">;

/** The row of a known file, with the name and the version that it has now. */
export function changedFile(
  { n, path, key }: KnownFile,
  { path: seenPath, identity }: SeenFile,
  isAt: IsAt,
): ChangedFile {
  const keepsName = path !== seenPath && "fileId" in identity &&
    isAt(path, identity.fileId);
  const version = versionOf(keepsName ? path : seenPath, identity);
  if (isKeyOfName(key)) version.key = keyOfName(version.key, version.path);
  return { n, ...version };
}

/**
 * Whether a file is the one that is known, as far as its identity tells:
 *
 * ```text
 *   size    file               mtime   ctime             is
 *   other                                                other
 *   same    same               same    same, or unknown  same
 *   same    same               same    other             in doubt; without a hash same
 *   same    only by its name   same    same              same: mounted anew
 *           all else                                     in doubt; without a hash other
 * ```
 */
function compare(
  known: KnownFile,
  { path, identity }: SeenFile,
): "same" | "other" | "in doubt" {
  const { key, size, mtimeMs, ctimeMs } = versionOf(path, identity);
  // Another size is another content.
  if (known.size !== null && known.size !== size) return "other";
  const isUnnumbered = [known.key, key].includes(keyOfPath(path));
  const isSameName = known.path === path;
  const isSameFile = known.key === key || (isUnnumbered && isSameName) ||
    known.key.startsWith(keyOfName(key, ""));
  const isUntouched = ctimeMs === null || known.ctimeMs === null ||
    known.ctimeMs === ctimeMs;
  // A ctime cannot be set by a program; device numbers may change with a mount.
  const isSame = isSameFile
    ? isUntouched || known.sha256 === null
    : isUntouched && isSameName && ctimeMs !== null && known.ctimeMs !== null;
  if (isSame && known.mtimeMs === mtimeMs) return "same";
  // Without a hash the content cannot be compared.
  return known.sha256 === null ? "other" : "in doubt";
}

/**
 * Looks a file up by its identity alone: `undefined` if it is new, `"in doubt"` if its
 * content or its metadata have to be read. `change` is the row as it has to be, if it
 * has another name or number than before.
 */
export function lookUp(
  sql: Statements,
  file: SeenFile,
  isAt: IsAt,
): { state: WatchedState | "in doubt" | undefined; change?: ChangedFile } {
  for (const known of rowsOf(sql, file)) {
    const answer = compare(known, file);
    if (answer === "other") continue;
    // A name with metadata of its own is a capture of its own.
    const isOther = known.path !== file.path &&
      hasOtherMetadata(sql, known, file);
    if (isOther) continue;
    const { state, sha256, ctimeMs } = known;
    const isUnsure = file.isUnsure && sha256 !== null;
    if (isOther === undefined || answer === "in doubt" || isUnsure) {
      return { state: "in doubt" };
    }
    const change = changedFile(known, file, isAt);
    // Until its content is known, a change of it can only be seen by this.
    if (sha256 === null && ctimeMs !== null) change.ctimeMs = ctimeMs;
    return isEqualVersion(known, change) ? { state } : { state, change };
  }
  return { state: undefined };
}

/**
 * Whether a file has metadata, and others than it was taken over with; `undefined` if
 * that cannot be told until they are read.
 */
export function hasOtherMetadata(
  sql: Statements,
  known: KnownFile,
  { metadataJson, hasMetadata }: SeenFile,
): boolean | undefined {
  const has = metadataJson === undefined
    ? hasMetadata?.()
    : metadataJson !== "{}";
  if (!has) return false;
  const queued = sql.get.get<CaptureRow>(known.id);
  const before = queued ? sha256Of(queued.metadataJson) : known.metadataSha256;
  if (before === null) return false;
  return metadataJson === undefined
    ? undefined
    : before !== sha256Of(metadataJson);
}

/** The rows of this file by any name, and of the last file with this path. */
export function rowsOf(
  sql: Statements,
  { path, identity }: SeenFile,
): KnownFile[] {
  const { key } = versionOf(path, identity);
  const byFile = sql.watchedFile.get<KnownFile>(key);
  const byPath = sql.watchedPath.get<KnownFile>(path);
  const names = sql.namesOfFile.all<KnownFile>(...keysOfNames(key));
  const rows = byPath && isKeyOfName(byPath.key)
    ? [byPath, byFile, ...names]
    : [byFile, byPath, ...names];
  const known = rows.filter((row) => row !== undefined);
  return [...new Map(known.map((row) => [row.n, row])).values()];
}
