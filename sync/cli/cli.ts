import { VERSION } from "../version.ts";
import type { CommandContext } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { programHelp } from "./help.ts";
import { runCommand } from "./run_command.ts";

/** What the program has around it. */
export type Surroundings =
  & Pick<
    CommandContext,
    "out" | "err" | "endsProcess" | "stopSignal" | "onReload"
  >
  & { env: (name: string) => string | undefined };

/**
 * Runs one command line and returns the exit code. Whatever goes wrong is told
 * on standard error, never thrown.
 */
export async function runCommandLine(
  [name = "--help", ...rest]: string[],
  around: Surroundings,
): Promise<number> {
  const { out } = around;
  if (["--version", "-V"].includes(name)) {
    out(`jarvis-agent ${VERSION}`);
    return 0;
  }
  if (["--help", "-h", "help"].includes(name)) {
    const [topic] = rest;
    if (topic === undefined) {
      out(programHelp(COMMANDS));
      return 0;
    }
    [name, rest] = [topic, ["--help"]];
  }
  return await runCommand(name, rest, around);
}
