import { CaptureFileError, CaptureReadError } from "../capture/errors.ts";

/** A capture's bytes, open for one attempt, as they were when it was opened. */
export interface OpenCapture extends Disposable {
  /** In bytes. */
  readonly size: number;
  /** In milliseconds since 1970. */
  readonly mtimeMs: number;
  /**
   * Reads some of the next bytes, at least one, and returns how many.
   *
   * @throws {CaptureReadError} if there are none: the file became shorter.
   */
  read(into: Uint8Array): Promise<number>;
  /** Like `read`, for what is too small to wait for. */
  readSync(into: Uint8Array): number;
  /** @throws {CaptureReadError} if the capture is not what it was when it was opened. */
  assertUnchanged(): void;
}

/** What a file is told from another version of it by. */
interface Known {
  size: number;
  mtimeMs: number;
}

/** No path to any file: a file on the way, a circle of links, a name that cannot be. */
const BAD_PATHS: unknown[] = ["ENOTDIR", "ELOOP", "ENAMETOOLONG", "EINVAL"];

/**
 * Opens bytes that are in memory.
 *
 * @param file The one that they were read from, and what it must be.
 * @throws {CaptureFileError} if it is not what was expected.
 */
export function bytesCapture(
  data: Uint8Array,
  mtimeMs: number,
  file?: { path: string; expected: Known | undefined },
): OpenCapture {
  if (file) {
    assertExpected(file.path, { size: data.length, mtimeMs }, file.expected);
  }
  let at = 0;
  const readSync = (into: Uint8Array): number => {
    const part = data.subarray(at, at + into.length);
    into.set(part);
    at += part.length;
    return part.length;
  };
  return {
    size: data.length,
    mtimeMs,
    read: (into) => Promise.resolve(readSync(into)),
    readSync,
    assertUnchanged() {},
    [Symbol.dispose]() {},
  };
}

/**
 * Opens a capture's file for one attempt.
 *
 * It stays open, and is sent as it was, when another file takes its name or it
 * is removed.
 *
 * @param expected What it must be; by default whatever it is now.
 * @throws {CaptureFileError} if it is gone, unreadable, not a regular file, or
 * not what was expected.
 * @throws {CaptureReadError} if it cannot be opened now, but perhaps later.
 */
export function openCapture(
  path: string,
  expected?: Known,
): OpenCapture {
  try {
    // Before opening: opening a pipe would wait for its writer.
    const info = Deno.statSync(path);
    assertRegular(path, info);
    assertExpected(path, { size: info.size, mtimeMs: mtimeOf(info) }, expected);
    return openFile(path, Deno.openSync(path, { read: true }), info);
  } catch (error) {
    throw readError(path, error);
  }
}

/** @param info What the path led to just before; another file since then shows in the end. */
function openFile(
  path: string,
  file: Deno.FsFile,
  info: Deno.FileInfo,
): OpenCapture {
  const { size } = info;
  const changed = () =>
    new CaptureReadError(
      `Cannot send "${path}": it changed while it was sent (it had ${size} bytes), expected it to be finished`,
    );
  const bytesRead = (count: number | null): number => {
    if (count === null) throw changed();
    return count;
  };
  return {
    size,
    mtimeMs: mtimeOf(info),
    read: (into) =>
      file.read(into).then(bytesRead).catch((error) => {
        throw readError(path, error);
      }),
    readSync(into) {
      try {
        return bytesRead(file.readSync(into));
      } catch (error) {
        throw readError(path, error);
      }
    },
    assertUnchanged() {
      const now = file.statSync();
      if (now.size !== size || mtimeOf(now) !== mtimeOf(info)) throw changed();
    },
    [Symbol.dispose]: () => file.close(),
  };
}

/** A time that the host cannot express counts as none. */
function mtimeOf(info: Deno.FileInfo): number {
  return info.mtime?.getTime() || 0;
}

function assertRegular(path: string, info: Deno.FileInfo): void {
  if (info.isFile) return;
  const kind = info.isDirectory ? "a directory" : "not a regular file";
  throw new CaptureFileError(
    `Cannot read the capture "${path}": it is ${kind}, expected a file`,
  );
}

function assertExpected(
  path: string,
  is: Known,
  expected: Known | undefined,
): void {
  if (expected === undefined) return;
  if (expected.size === is.size && expected.mtimeMs === is.mtimeMs) return;
  throw new CaptureFileError(
    `Cannot send "${path}": it was changed after it was handed over`,
  );
}

/** What stays so however often it is tried, and what may pass: no descriptors left, a disk's fault. */
function readError(path: string, cause: unknown): Error {
  if (cause instanceof CaptureFileError || cause instanceof CaptureReadError) {
    return cause;
  }
  const reason = lastingReason(cause);
  const message = `Cannot read the capture "${path}": `;
  if (reason !== null) return new CaptureFileError(message + reason, { cause });
  const shown = cause instanceof Error ? cause.message : String(cause);
  return new CaptureReadError(message + shown, { cause });
}

function lastingReason(error: unknown): string | null {
  if (error instanceof Deno.errors.NotFound) return "the file is gone";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  const code = error instanceof Error && "code" in error ? error.code : null;
  return BAD_PATHS.includes(code) ? (error as Error).message : null;
}
