import { dirname, resolve } from "@std/path";
import { assertWritable, closedOf } from "../host/data_dir.ts";
import { isReadOnly } from "../host/files.ts";
import { messageOf } from "../host/message_of.ts";
import { DatabaseError, hasFault } from "./sqlite.ts";

/** The error for a disk that became read-only, of which SQLite does not tell; else the same. */
export function asReadOnly(path: string, error: unknown): unknown {
  if (!hasFault(error, "other")) return error;
  try {
    assertWritable(dirname(resolve(path)));
    return error;
  } catch (cause) {
    if (!isReadOnly(cause)) return error;
    const message = messageOf(cause);
    return new DatabaseError(message, { fault: "read-only", cause });
  }
}

/** The reason why it cannot be opened: SQLite does not name permissions. */
export function obstacleOf(path: string, cause: unknown): string {
  const files = ["", "-wal", "-shm"].map((suffix) => path + suffix);
  const closed = hasFault(cause, "other") ? closedOf(files) : undefined;
  return closed ??
    messageOf(cause).replace(`Cannot open "${path}": `, "");
}
