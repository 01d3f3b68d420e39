import { VERSION } from "../version.ts";
import type { CommandContext } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { programHelp } from "./help.ts";

/** What the program has around it. */
export type Surroundings =
  & Pick<CommandContext, "out" | "err" | "stopSignal" | "onReload">
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
  // Not earlier: the rest of the program takes longer to load than these to answer.
  const { runCommand } = await import("./run_command.ts");
  return await runCommand(name, rest, around);
}
