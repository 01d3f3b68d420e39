/**
 * Files that are read whole: settings, tokens, certificates, metadata.
 *
 * @module
 */

import { AT_FDCWD, close, openAt, statOf } from "./descriptor.ts";
import { lastErrno, libc, systemError } from "./libc.ts";
import {
  openDescriptor,
  type OpenedFile,
  openRegularFile,
} from "./opened_file.ts";

/** The largest of them, in bytes: certificates of all authorities are a fraction of it. */
const MAX_BYTES = 4 * 1024 * 1024;

/** How long the end of a pipe is waited for, in milliseconds. */
const PIPE_LIMIT_MS = 30_000;
const POLLIN = 1;

export interface SmallFileOptions {
  /** The most that is taken, in bytes. @default {4 MiB} */
  maxBytes?: number;
}

/**
 * Reads a regular file whole. Nothing else is read, nor waited for.
 *
 * @throws {NotRegularFileError} if it is something else.
 * @throws {RangeError} if it is larger than `maxBytes`.
 * @throws as `openRegularFile` does.
 */
export function readSmallFile(
  path: string,
  { maxBytes = MAX_BYTES }: SmallFileOptions = {},
): Uint8Array<ArrayBuffer> {
  using file = openRegularFile(path);
  return readOpened(file, maxBytes);
}

/** Like {@linkcode readSmallFile}, as text; bytes that are not UTF-8 are replaced. */
export function readSmallText(path: string): string {
  return textOf(readSmallFile(path));
}

/** Returns UTF-8 as text, with its byte order mark; bytes that are not UTF-8 are replaced. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/**
 * Like {@linkcode readSmallFile}, and takes a pipe as well, as `<(command)` is one
 * for a shell, where the C library can be called.
 *
 * @param options `limitMs` is how long a pipe's end is waited for, in milliseconds
 * (default: 30 s).
 * @throws {Error} if a pipe has no end by then.
 */
export async function readSmallFileOrPipe(
  path: string,
  options: SmallFileOptions & { limitMs?: number } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  if (!libc) return readSmallFile(path, options);
  const { maxBytes = MAX_BYTES, limitMs = PIPE_LIMIT_MS } = options;
  const fd = openAt(AT_FDCWD, path);
  if (statOf(fd).kind !== "other") {
    using file = openDescriptor(path, () => fd);
    return readOpened(file, maxBytes);
  }
  try {
    return await readPipe(fd, { path, maxBytes, limitMs });
  } finally {
    close(fd);
  }
}

function readOpened(file: OpenedFile, maxBytes: number) {
  return whole(file.readFirst(maxBytes + 1), file.path, maxBytes);
}

async function readPipe(
  fd: number,
  { path, maxBytes, limitMs }: {
    path: string;
    maxBytes: number;
    limitMs: number;
  },
) {
  const untilMs = performance.now() + limitMs;
  const bytes = new Uint8Array(maxBytes + 1);
  let [length, read] = [0, 1];
  for (; read > 0 && length <= maxBytes; length += read) {
    const leftMs = Math.max(0, Math.ceil(untilMs - performance.now()));
    const waited = new Int32Array([fd, POLLIN]);
    if (await libc!.pollAside(waited, 1n, leftMs) === 0) {
      throw new Error(
        `Cannot read "${path}": it is a pipe without an end within ${
          limitMs / 1000
        } s, expected a file`,
      );
    }
    const rest = bytes.subarray(length);
    read = Number(libc!.read(fd, rest, BigInt(rest.length)));
    if (read < 0) throw systemError(lastErrno(), `read "${path}"`);
  }
  return whole(bytes.subarray(0, length), path, maxBytes);
}

function whole<T extends Uint8Array>(bytes: T, path: string, maxBytes: number) {
  if (bytes.length <= maxBytes) return bytes;
  throw new RangeError(
    `Cannot read "${path}", a file of more than ${maxBytes} bytes`,
  );
}
