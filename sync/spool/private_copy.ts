import {
  CaptureFileError,
  CaptureReadError,
  readError,
} from "../capture/errors.ts";
import { isOutOfRoom, writeAll } from "../host/files.ts";
import {
  CLOCK_TICK_MS,
  isSameFile,
  type OpenedFile,
  openRegularFile,
} from "../host/opened_file.ts";
import type { QueuedCapture } from "../queue/queue.ts";
import type { KnownCapture } from "../upload/capture_file.ts";
import { type HashedBytes, readHashed } from "../host/sha256.ts";

/** The file was written to while it was taken over: its maker may not be done yet. */
export class UnfinishedFileError extends CaptureReadError {
  override name = "UnfinishedFileError";

  constructor(path: string) {
    super(
      `Cannot take "${path}": it is still being written to, expected a finished file; try again when it is done`,
    );
  }
}

/**
 * Opens a file.
 *
 * @throws {CaptureFileError | CaptureReadError} as {@linkcode readError} says.
 */
export function opened(path: string, open: () => OpenedFile): OpenedFile {
  try {
    return open();
  } catch (error) {
    throw readError(path, error);
  }
}

/** Opens the file that was handed over as a capture. */
export type OpenOriginal = (
  capture: Pick<QueuedCapture, "id" | "filepath" | "watched" | "identity">,
) => OpenedFile;

/** Opens it by its path. No link is followed that has taken a watched file's place. */
export const openByPath: OpenOriginal = ({ filepath, watched }) =>
  openRegularFile(filepath, { noFollow: watched });

/** The facts that a capture's file must meet: one that does not is not what was handed over. */
export function versionOf(
  { spooled, size, mtimeMs, identity, sha256 }: QueuedCapture,
): Pick<KnownCapture, "expected" | "sha256"> {
  const known = size !== null && mtimeMs !== null
    ? { size, mtimeMs }
    : undefined;
  return {
    sha256: sha256 ?? undefined,
    // The copy is another file than the original, with the same bytes and time.
    expected: spooled ? known ?? identity ?? undefined : identity ?? known,
  };
}

/**
 * Opens a file to copy or move it.
 *
 * @param options See {@linkcode openRegularFile}.
 * @throws {CaptureFileError} if it is not there, or is no regular file.
 * @throws {CaptureReadError} if it cannot be read now.
 */
export function openSource(
  path: string,
  options: { noFollow?: boolean } = {},
): OpenedFile {
  try {
    return openRegularFile(path, options);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw readError(path, cause);
    throw new CaptureFileError(`Cannot read "${path}": no such file`, {
      cause,
    });
  }
}

/**
 * Makes a private copy of a file: nobody else can write to its bytes, as they could
 * through another link to the same file. It shares them where the file system can
 * do that (reflink). It has the file's time and is on the disk when this returns;
 * its name may not be yet.
 *
 * @param options `beforeCopy` is called if bytes are to be written, before the
 * first one is; it may refuse by throwing.
 * @returns The SHA-256 of the copied bytes, in hexadecimal.
 * @throws {UnfinishedFileError} if the file changes meanwhile.
 * @throws {Deno.errors.AlreadyExists} if something has the copy's name.
 * @throws {CaptureFileError | CaptureReadError} if it cannot be copied. After any
 * error the caller removes the copy.
 */
export async function copyPrivately(
  file: OpenedFile,
  path: string,
  options: { beforeCopy?: () => void } = {},
): Promise<string> {
  const sinceMs = Date.now();
  const isClone = file.cloneTo(path);
  if (!isClone) options.beforeCopy?.();
  try {
    using copy = Deno.openSync(path, { read: true, write: true });
    const read = isClone
      ? await readClone(path)
      : await readHashed(file, (piece) => writeAll(copy, piece));
    await assertUnchanged(file, read, { sinceMs });
    // The server is told the time of the original.
    const modified = new Date(file.identity.mtimeMs);
    copy.utimeSync(modified, modified);
    await copy.sync();
    return read.sha256;
  } catch (error) {
    const isSpools = error instanceof Deno.errors.AlreadyExists ||
      isOutOfRoom(error);
    throw isSpools ? error : readError(file.path, error);
  }
}

async function readClone(path: string): Promise<HashedBytes> {
  using clone = openRegularFile(path, { noFollow: true });
  return await readHashed(clone);
}

/**
 * The SHA-256 of a file's bytes, in hexadecimal.
 *
 * @throws {UnfinishedFileError} if it changes meanwhile.
 * @throws {CaptureFileError | CaptureReadError} if it cannot be read.
 */
export async function hashFinished(file: OpenedFile): Promise<string> {
  const sinceMs = Date.now();
  try {
    const read = await readHashed(file);
    await assertUnchanged(file, read, { sinceMs });
    return read.sha256;
  } catch (error) {
    throw readError(file.path, error);
  }
}

/**
 * @param read The size and hash of the bytes that were read.
 * @param options `sinceMs` is when reading began, in milliseconds since 1970.
 * @throws {UnfinishedFileError} if the file may have changed since then.
 */
async function assertUnchanged(
  file: OpenedFile,
  read: HashedBytes,
  { sinceMs }: { sinceMs: number },
): Promise<void> {
  const { path, identity } = file;
  if (identity.size === 0 && read.size > 0) {
    throw new CaptureFileError(
      `Cannot take "${path}": its size is said to be 0 and it has content, expected a file on a disk; copy it to one first`,
    );
  }
  const now = file.stat();
  if (read.size !== identity.size || !isSameFile(now, identity)) {
    throw new UnfinishedFileError(path);
  }
  // Somebody may have set the time back, or have written twice within one tick of
  // the clock. A new name or mode changes the ctime as well: only the content tells.
  const isDoubtful = now.ctimeMs !== identity.ctimeMs ||
    now.ctimeMs > sinceMs - CLOCK_TICK_MS;
  if (isDoubtful && (await readHashed(file)).sha256 !== read.sha256) {
    throw new UnfinishedFileError(path);
  }
}
