import { createHash } from "node:crypto";
import {
  CaptureFileError,
  CaptureReadError,
  readError,
} from "../capture/errors.ts";
import {
  type FileIdentity,
  isSameVersion,
  type OpenedFile,
  openRegularFile,
} from "../host/opened_file.ts";
import { readHashed, sha256Of } from "../host/sha256.ts";
import { inMemory } from "./capture_bytes.ts";

/** A capture's bytes, open for one attempt, as they were when it was opened. */
export interface OpenCapture extends Disposable {
  /** In bytes. */
  readonly size: number;
  /** In milliseconds since 1970. */
  readonly mtimeMs: number;
  /** The SHA-256 of its bytes, in hexadecimal. */
  readonly sha256: string;
  /** The identity of its file; `null` for bytes that were in memory from the start. */
  readonly identity: FileIdentity | null;
  /**
   * Reads at an offset, at least one byte, and returns how many.
   *
   * @throws {CaptureFileError} if there are none: the file became shorter.
   */
  read(into: Uint8Array, offset: number): Promise<number>;
  /**
   * To be called once all was read, in order, before the last of it leaves.
   *
   * @throws {CaptureFileError} if the bytes that were read do not have the `sha256`,
   * or the file has another size by now.
   */
  assertUnchanged(): Promise<void>;
}

/** The facts that a capture must still meet when it is opened. */
export interface KnownCapture {
  /**
   * The identity of the file that it must still be. One that differs is taken only if
   * its bytes have the `sha256`.
   *
   * @default {the file as it is now}
   */
  expected?: FileIdentity | { size: number; mtimeMs: number } | undefined;
  /**
   * The hash that its bytes must have, in hexadecimal. For the `expected` file, if it
   * is a large one without an `original`, it is computed anew only while that is read.
   *
   * @default {it is computed before anything is sent}
   */
  sha256?: string | undefined;
  /** Opens the file. @default {by its path, through links too} */
  open?: (() => OpenedFile) | undefined;
  /**
   * Opens the file that it is a copy of, to be sent if this one cannot be, and only if
   * its bytes have the `sha256`.
   */
  original?: (() => OpenedFile) | undefined;
}

/** Files up to this size are read at once, without another thread. */
const IN_MEMORY_BYTES = 1024 * 1024;

/** Within this time two changes of a file can have the same time: file systems keep it to 2 s at worst. */
const YOUNG_MS = 2_000;

/**
 * Opens a capture's file for one attempt.
 *
 * It stays open, and is sent as it was, when another file takes its name or it is
 * removed. Its content tells whether it is the capture that was handed over; its
 * identity, if the hash is not known.
 *
 * @throws {CaptureFileError} if it is gone, not a regular file, or not the one that
 * was handed over.
 * @throws {CaptureReadError} if it cannot be read now, but perhaps later.
 * @throws the signal's reason, if it aborts.
 */
export async function openCapture(
  path: string,
  known: KnownCapture = {},
  signal?: AbortSignal,
): Promise<OpenCapture> {
  const { original, sha256 } = known;
  try {
    return await openOne(path, known, signal);
  } catch (error) {
    signal?.throwIfAborted();
    if (!original || !sha256) throw error;
    return await openOne(path, { sha256, open: original }, signal)
      .catch((other) => {
        signal?.throwIfAborted();
        // A file that may be readable later is not lost.
        throw other instanceof CaptureReadError ? other : error;
      });
  }
}

async function openOne(
  path: string,
  known: KnownCapture,
  signal: AbortSignal | undefined,
): Promise<OpenCapture> {
  let file: OpenedFile | undefined;
  try {
    file = known.open?.() ?? openRegularFile(path);
    return await identified(file, known, signal);
  } catch (error) {
    file?.[Symbol.dispose]();
    signal?.throwIfAborted();
    throw readError(path, error);
  }
}

async function identified(
  file: OpenedFile,
  known: KnownCapture,
  signal: AbortSignal | undefined,
): Promise<OpenCapture> {
  const { identity } = file;
  const { size, mtimeMs } = identity;
  const { expected, sha256, original } = known;
  assertHandedOver(file, known);
  const isSmall = size <= IN_MEMORY_BYTES;
  const isExpected = expected !== undefined && isSame(identity, expected);
  // Where another file could be sent instead, it is known before anything leaves.
  if (sha256 && isExpected && !isSmall && !original) {
    return onDisk(file, sha256.toLowerCase(), { isHashed: false });
  }
  const bytes = isSmall ? readWhole(file) : null;
  const actual = bytes
    ? sha256Of(bytes)
    : (await readHashed(file, () => signal?.throwIfAborted())).sha256;
  if (!isSame(file.stat(), { size, mtimeMs })) throw changed(file);
  assertHandedOver(file, known, { actual });
  if (!bytes) return onDisk(file, actual, { isHashed: true });
  file[Symbol.dispose]();
  return inMemory(bytes, { mtimeMs, sha256: actual, identity });
}

function readWhole(file: OpenedFile): Uint8Array {
  const { size } = file.identity;
  const bytes = file.readFirst(size);
  if (bytes.length < size) throw changed(file);
  return bytes;
}

/** @param isHashed Whether its bytes were read a moment ago and have the hash; else they are hashed as they are read. */
function onDisk(
  file: OpenedFile,
  sha256: string,
  { isHashed }: { isHashed: boolean },
): OpenCapture {
  const { path, identity } = file;
  let hash: ReturnType<typeof createHash>;
  return {
    size: identity.size,
    mtimeMs: identity.mtimeMs,
    sha256,
    identity,
    async read(into, offset) {
      let read: number;
      try {
        read = await file.read(into, offset);
      } catch (error) {
        throw readError(path, error);
      }
      if (read === 0) throw changed(file);
      if (isHashed) return read;
      if (offset === 0) hash = createHash("sha256");
      hash.update(into.subarray(0, read));
      return read;
    },
    async assertUnchanged() {
      const now = file.stat();
      if (now.size !== identity.size) throw changed(file);
      const isYoung = Date.now() - identity.ctimeMs < YOUNG_MS;
      if (isHashed && !isYoung && isSameVersion(now, identity)) return;
      const actual = isHashed
        ? (await readHashed(file)).sha256
        : hash.digest("hex");
      if (actual !== sha256) throw changed(file);
    },
    [Symbol.dispose]: () => file[Symbol.dispose](),
  };
}

/** Whether all is the same that is known of both. */
function isSame(
  file: FileIdentity,
  other: NonNullable<KnownCapture["expected"]>,
): boolean {
  const { fileId, size, mtimeMs, ctimeMs } = { ...file, ...other };
  return fileId === file.fileId && size === file.size &&
    mtimeMs === file.mtimeMs && ctimeMs === file.ctimeMs;
}

/** Whether it is the same but for a name or permissions, or for the number that its disk has since a restart. */
function isStill(
  file: FileIdentity,
  other: NonNullable<KnownCapture["expected"]>,
): boolean {
  const { fileId, size, mtimeMs, ctimeMs } = { ...file, ...other };
  return size === file.size && mtimeMs === file.mtimeMs &&
    (fileId === file.fileId || ctimeMs === file.ctimeMs);
}

function changed({ path, identity: { size } }: OpenedFile): CaptureFileError {
  return new CaptureFileError(
    `Cannot send "${path}": it changed while it was sent (it had ${size} bytes), expected it to be finished, and its disk to be sound`,
  );
}

/**
 * Its content decides whether a file is the version that was handed over; its identity,
 * where the hash is not known.
 *
 * @param options `actual` is the SHA-256 of its bytes, in hexadecimal, once they were
 * read; `verb` is what is to be done with it.
 * @throws {CaptureFileError} if it is another, as far as that can be told.
 */
export function assertHandedOver(
  { path, identity }: OpenedFile,
  { expected, sha256 }: Pick<KnownCapture, "expected" | "sha256">,
  { actual, verb = "send" }: { actual?: string; verb?: string } = {},
): void {
  const isSo = sha256
    ? actual === undefined || actual === sha256.toLowerCase()
    : !expected || isStill(identity, expected);
  if (isSo) return;
  throw new CaptureFileError(
    `Cannot ${verb} "${path}": it was changed after it was handed over`,
  );
}
