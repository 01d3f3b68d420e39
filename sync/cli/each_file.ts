import { messageOf } from "../host/message_of.ts";
import { type CommandContext, ExitCode } from "./command.ts";
import { exitCodeOf, remedyFor } from "./exit_code.ts";
import { assertNotKept } from "./settings/own_files.ts";

/**
 * Calls `act` with every file of the command line, one after the other, and tells the
 * error of one that fails, or that the agent keeps; the others go on.
 *
 * @param act Returns the exit code for this file alone.
 * @returns The exit code for all: 1 outweighs 75, which may change by itself.
 */
export async function eachFile(
  { args, err, settings }: CommandContext,
  act: (filepath: string) => Promise<number>,
): Promise<number> {
  const codes = new Set<number>();
  const toDo = new Set<string>();
  for (const filepath of args) {
    try {
      assertNotKept(filepath, settings.dataDir);
      codes.add(await act(filepath));
    } catch (error) {
      err(`jarvis-agent: ${explain(error, filepath)}`);
      const remedy = remedyFor(error);
      if (remedy !== undefined) toDo.add(remedy);
      codes.add(exitCodeOf(error));
    }
  }
  toDo.forEach((remedy) => err(remedy));
  const worst = [ExitCode.failure, ExitCode.temporary];
  return worst.find((code) => codes.has(code)) ?? ExitCode.ok;
}

/**
 * Does the last step for a file, like printing its result. If it fails, the error
 * tells the steps before: they must not be done twice.
 *
 * @throws {Error} if `act` throws.
 */
export function afterDoing(done: string, act: () => void): void {
  try {
    act();
  } catch (cause) {
    throw new Error(`${done}; ${messageOf(cause)}`, { cause });
  }
}

function explain(error: unknown, filepath: string): string {
  const reason = messageOf(error);
  // A name that is not UTF-8 arrives with replacement characters.
  return filepath.includes("\ufffd")
    ? `${reason}; a name that is not valid UTF-8 cannot be used, rename the file`
    : reason;
}
