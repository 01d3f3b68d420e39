import { CaptureReadError } from "../capture/errors.ts";
import { hasFault } from "../queue/sqlite.ts";
import { NoRoomError } from "../spool/room.ts";
import { UsageError } from "./arguments.ts";
import { ExitCode } from "./command.ts";

/** What the process exits with after this error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return ExitCode.usage;
  if (error instanceof NoRoomError) return ExitCode.temporary;
  if (error instanceof CaptureReadError) return ExitCode.temporary;
  if (hasFault(error, "full") || hasFault(error, "busy")) {
    return ExitCode.temporary;
  }
  return ExitCode.failure;
}
