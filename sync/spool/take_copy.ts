import { syncFile } from "../host/files.ts";
import { CaptureFileError } from "../capture/errors.ts";

/** A capture's file as it was taken over. */
export interface SpooledFile {
  /** In bytes. */
  size: number;
  /** In milliseconds since 1970. */
  mtimeMs: number;
}

/**
 * Makes a file appear under another name too: by a hard link where that can be,
 * else by a copy with the same time. Its bytes are on the disk then.
 *
 * @param options `beforeCopy` is called if bytes are to be copied, before the
 * first one is; it may refuse by throwing.
 * @throws {CaptureFileError} if the file is gone, unreadable, not a regular
 * file, or changed while it was copied; what was copied is left then.
 * @throws {Deno.errors.AlreadyExists} if something has that name.
 */
export async function takeCopy(
  source: string,
  path: string,
  options: { beforeCopy?: () => void } = {},
): Promise<SpooledFile> {
  const file = statCapture(source);
  if (!tryLink(source, path)) {
    options.beforeCopy?.();
    await copyWhole(source, path, file);
  }
  syncFile(path);
  return file;
}

/**
 * Looks at a capture's file.
 *
 * @throws {CaptureFileError} if it is gone, cannot be looked at, or is not a regular file.
 */
export function statCapture(path: string): SpooledFile {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
    if (info.isFile) Deno.openSync(path, { read: true }).close();
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound
      ? "no such file"
      : cause instanceof Deno.errors.PermissionDenied
      ? "permission denied"
      : cause instanceof Error
      ? cause.message
      : String(cause);
    throw new CaptureFileError(`Cannot read "${path}": ${reason}`, { cause });
  }
  if (!info.isFile) {
    const kind = info.isDirectory ? "a directory" : "not a regular file";
    throw new CaptureFileError(
      `Cannot take "${path}": it is ${kind}, expected a file`,
    );
  }
  return { size: info.size, mtimeMs: info.mtime?.getTime() || 0 };
}

/** Makes the file itself, not a symbolic link to it, appear under another name too. */
function tryLink(source: string, path: string): boolean {
  try {
    Deno.linkSync(Deno.realPathSync(source), path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    // Another file system, or one without links, or another user's file.
    return false;
  }
}

/** Copies a file with its time, by reflink where the file system can. */
async function copyWhole(
  source: string,
  path: string,
  before: SpooledFile,
): Promise<void> {
  // Another link of the source would be emptied.
  if (exists(path)) throw new Deno.errors.AlreadyExists(path);
  await Deno.copyFile(source, path);
  const after = statCapture(source);
  const same = after.mtimeMs === before.mtimeMs &&
    after.size === before.size && Deno.statSync(path).size === before.size;
  if (!same) {
    throw new CaptureFileError(
      `Cannot copy "${source}": it changed while it was copied, expected a finished file`,
    );
  }
  if (Deno.build.os !== "windows") Deno.chmodSync(path, 0o600);
  const modified = new Date(before.mtimeMs);
  Deno.utimeSync(path, modified, modified);
}

/** Whether something has this name, be it a link that leads nowhere. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
