import type { Surroundings } from "./command.ts";

/**
 * Runs one command line and returns the exit code. Whatever goes wrong is told
 * on standard error, never thrown.
 *
 * Modules load when they are needed: to load all of them takes longer than a
 * short command does.
 */
export async function runCommandLine(
  [name = "--help", ...rest]: string[],
  around: Surroundings,
): Promise<number> {
  const { out } = around;
  if (["--version", "-V", "-v"].includes(name)) {
    const { VERSION } = await import("../host/version.ts");
    out(`jarvis-agent ${VERSION}`);
    return 0;
  }
  if (["--help", "-h", "help"].includes(name)) {
    const [topic] = rest;
    if (topic === undefined) {
      const { programHelp } = await import("./help.ts");
      out(programHelp());
      return 0;
    }
    [name, rest] = [topic, ["--help"]];
  }
  const { runCommand } = await import("./run_command.ts");
  return await runCommand(name, rest, around);
}
