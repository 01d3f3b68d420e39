import { BY_NAME, type KnownIdentity, watchedValues } from "./capture_row.ts";
import type { SqlValue } from "./sqlite.ts";

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

/**
 * Whether a row stands for a name, not for a file: another name of the file has its row,
 * or the file's number is not known.
 */
export function isByName({ fileId }: Pick<KnownFile, "fileId">): boolean {
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
  if (isByName(known) && path === file.path) {
    const [, , ...version] = watchedValues(path, identity);
    return [path, known.fileId, ...version];
  }
  const isOtherName = path !== file.path && "fileId" in identity &&
    isAt(path, identity.fileId);
  return watchedValues(isOtherName ? path : file.path, identity);
}

/** Whether a file is the one that is known, as far as its identity tells. */
export function compare(
  known: KnownFile,
  file: SeenFile,
): "same" | "other" | "in doubt" {
  const [path, key, size, mtimeMs, ctimeMs] = watchedValues(
    file.path,
    file.identity,
  );
  // Another size is another content.
  if (known.size !== null && known.size !== size) return "other";
  const isUnnumbered = [known.fileId, key].includes(BY_NAME + path);
  const isSameName = known.path === path;
  const isSameFile = known.fileId === key || (isUnnumbered && isSameName);
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
