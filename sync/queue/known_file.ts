import { metadataHash } from "../capture/metadata_hash.ts";
import {
  BY_NAME,
  type CaptureRow,
  keyOfName,
  keysOfNames,
  type KnownIdentity,
  watchedValues,
} from "./capture_row.ts";
import type { SqlValue } from "./sqlite.ts";
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
}

/** Whether a path leads to the file with this device and inode, `fileId`. */
export type IsAt = (path: string, fileId: string) => boolean;

/** A row of `watched_files`. */
export interface KnownFile {
  n: number;
  /** Of its capture. */
  id: string;
  path: string;
  fileId: string;
  size: number | null;
  mtimeMs: number | null;
  ctimeMs: number | null;
  state: WatchedState;
  sha256: string | null;
  /** The hash of the metadata it was delivered with; `null` if not known. */
  metadataSha256: string | null;
}

/** Whether a row is of one name of a file that is known by another name as well. */
function isByName({ fileId }: KnownFile): boolean {
  return fileId.startsWith(BY_NAME);
}

/** The values by which a file is known from now on. */
export function valuesNow(
  known: KnownFile,
  file: SeenFile,
  isAt: IsAt,
): SqlValue[] {
  const { path } = known;
  const { identity } = file;
  const isOtherName = path !== file.path && "fileId" in identity &&
    isAt(path, identity.fileId);
  const values = watchedValues(isOtherName ? path : file.path, identity);
  const [name, key] = values.map(String);
  if (isByName(known)) values[1] = keyOfName(key!, name!);
  return values;
}

/** Whether a file is the one that is known, as far as its identity tells. */
function compare(
  known: KnownFile,
  file: SeenFile,
): "same" | "other" | "in doubt" {
  const [path, key, size, mtimeMs, ctimeMs] = watchedValues(
    file.path,
    file.identity,
  );
  // Another size is another content.
  if (known.size !== null && known.size !== size) return "other";
  const isUnnumbered = [known.fileId, key].includes(`path:${path}`);
  const isSameName = known.path === path;
  const isSameFile = known.fileId === key || (isUnnumbered && isSameName) ||
    known.fileId.startsWith(keyOfName(String(key), ""));
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
): { state: WatchedState | "in doubt" | undefined; change?: SqlValue[] } {
  for (const known of candidates(sql, file)) {
    const answer = compare(known, file);
    if (answer === "other") continue;
    // A name with metadata of its own is a capture of its own.
    const isOther = known.path !== file.path &&
      hasOtherMetadata(sql, known, file);
    if (isOther) continue;
    if (isOther === undefined || answer === "in doubt") {
      return { state: "in doubt" };
    }
    const { n, path, fileId, size, mtimeMs, ctimeMs, state } = known;
    const now = valuesNow(known, file, isAt);
    // Until its content is known, a change of it can only be seen by this.
    if (known.sha256 === null && ctimeMs !== null) now[4] = ctimeMs;
    const isUpToDate = [path, fileId, size, mtimeMs, ctimeMs]
      .every((value, at) => value === now[at]);
    return isUpToDate ? { state } : { state, change: [...now, n] };
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
  const before = queued
    ? metadataHash(queued.metadataJson)
    : known.metadataSha256;
  if (before === null) return false;
  return metadataJson === undefined
    ? undefined
    : before !== metadataHash(metadataJson);
}

/** The rows of this file by any name, and of the last file with this path. */
export function candidates(sql: Statements, file: SeenFile): KnownFile[] {
  const [path, key] = watchedValues(file.path, file.identity);
  const byFile = sql.watchedFile.get<KnownFile>(key!);
  const byPath = sql.watchedPath.get<KnownFile>(path!);
  const names = sql.namesOfFile.all<KnownFile>(...keysOfNames(String(key)));
  const rows = byPath && isByName(byPath)
    ? [byPath, byFile, ...names]
    : [byFile, byPath, ...names];
  const known = rows.filter((row) => row !== undefined);
  return [...new Map(known.map((row) => [row.n, row])).values()];
}
