import { AgentHangsError } from "../agent/heartbeat.ts";
import { CaptureReadError } from "../capture/errors.ts";
import { VariableError } from "../host/environment.ts";
import { isOutOfDescriptors, isOutOfRoom, isTooLarge } from "../host/files.ts";
import { LockedError } from "../host/lock.ts";
import { messageOf } from "../host/message_of.ts";
import { tryTo } from "../host/try_to.ts";
import { hasFault } from "../queue/sqlite.ts";
import { NoRoomError } from "../spool/room.ts";
import { UsageError } from "./arguments.ts";
import { ExitCode } from "./command.ts";

/** The errors that a repetition may get past. */
const TEMPORARY = [NoRoomError, CaptureReadError, AgentHangsError, LockedError];

/** The exit code after this error. */
export function exitCodeOf(error: unknown): number {
  const isUsage = error instanceof UsageError || error instanceof VariableError;
  if (isUsage) return ExitCode.usage;
  const isTemporary = TEMPORARY.some((kind) => error instanceof kind) ||
    isOutOfRoom(error) ||
    hasFault(error, "full") || hasFault(error, "busy") ||
    hasFault(error, "parted");
  return isTemporary || hasTooManyOpen(error)
    ? ExitCode.temporary
    : ExitCode.failure;
}

/** The remedy for an error, in one sentence; `undefined` if there is none, or its message names it. */
export function remedyFor(error: unknown): string | undefined {
  if (hasFault(error, "full")) {
    return "Make room on the disk that the data directory is on, then try again.";
  }
  if (error instanceof Deno.errors.NotFound && !tryTo(() => Deno.cwd())) {
    return "The current directory is not there any more: change to another one, or name absolute paths.";
  }
  if (hasTooManyOpen(error)) {
    return 'Close files, or raise the limit on open ones ("ulimit -n"), then try again.';
  }
  if (error instanceof NoRoomError && isTooLarge(error.cause)) {
    return 'Raise the limit on the size of files ("ulimit -f") or use a file system without one, or hand the file over with --no-copy.';
  }
  if (error instanceof NoRoomError) {
    return "Get the server to take some, make room on the disk, or allow more: --max-spool-bytes, --min-free-bytes.";
  }
  return hasFault(error, "busy")
    ? "Another process holds the queue locked: try again later."
    : undefined;
}

/** As many as SQLite opens for a queue. */
const NEEDED_FILES = 4;

/** Whether too many files are open: SQLite does not say why it cannot open its own. */
function hasTooManyOpen(error: unknown): boolean {
  if (isOutOfDescriptors(error)) return true;
  if (!/unable to open database file/.test(messageOf(error))) return false;
  const opened: Deno.FsFile[] = [];
  try {
    while (opened.length < NEEDED_FILES) opened.push(Deno.openSync("/"));
    return false;
  } catch (error) {
    return isOutOfDescriptors(error);
  } finally {
    opened.forEach((file) => file.close());
  }
}
