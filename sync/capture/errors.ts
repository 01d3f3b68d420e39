import { messageOf } from "../host/message_of.ts";
import { NotRegularFileError } from "../host/opened_file.ts";

/** The capture's file will not do, however often it is tried: it is gone, no regular file, or another one. */
export class CaptureFileError extends Error {
  override name = "CaptureFileError";
}

/** The capture's file cannot be read now, but perhaps later. */
export class CaptureReadError extends Error {
  override name = "CaptureReadError";
}

/** No path to any file: a file on the way, a circle of links, a name that cannot be, a socket. */
const BAD_PATHS: unknown[] = [
  "ENOTDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "EINVAL",
  "ENXIO",
];

/**
 * Returns the error for a capture whose file could not be read: a
 * {@linkcode CaptureFileError} if it stays so, a {@linkcode CaptureReadError} if it
 * may pass (permission denied, no descriptors left, a disk's fault).
 */
export function readError(path: string, cause: unknown): Error {
  if (cause instanceof CaptureFileError || cause instanceof CaptureReadError) {
    return cause;
  }
  const message = `Cannot read the capture "${path}": `;
  const lasting = lastingReason(cause);
  if (lasting) return new CaptureFileError(message + lasting, { cause });
  return new CaptureReadError(message + reasonOf(cause), { cause });
}

/** Why something could not be done with a file, without the operation and the path. */
export function reasonOf(error: unknown): string {
  return error instanceof Deno.errors.PermissionDenied
    ? "permission denied"
    : withoutPath(error);
}

/** An error's message without the operation and the path. */
function withoutPath(error: unknown): string {
  const message = messageOf(error);
  const end = message.startsWith("Cannot ") ? message.lastIndexOf('": ') : -1;
  return end < 0 ? message : message.slice(end + 3);
}

function lastingReason(error: unknown): string | null {
  if (error instanceof Deno.errors.NotFound) return "the file is gone";
  if (error instanceof NotRegularFileError) return withoutPath(error);
  // A name with a NUL character in it.
  if (error instanceof TypeError) return error.message;
  const code = error instanceof Error && "code" in error ? error.code : null;
  return BAD_PATHS.includes(code) ? withoutPath(error) : null;
}
