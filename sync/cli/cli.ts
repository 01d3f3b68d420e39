import { VariableError } from "../host/environment.ts";
import { messageOf } from "../host/message_of.ts";
import type { Surroundings } from "./command.ts";

/**
 * Runs one command line and returns the exit code. Errors are told on standard error,
 * never thrown.
 *
 * Modules load when they are needed: to load all of them takes longer than a
 * short command does.
 */
export async function runCommandLine(
  [name = "--help", ...rest]: string[],
  around: Surroundings,
): Promise<number> {
  if (["--help", "-h", "help"].includes(name) && rest.length > 0) {
    [name, rest] = [rest[0]!, ["--help"]];
  }
  const print = Object.hasOwn(PRINTED, name) ? PRINTED[name] : undefined;
  try {
    if (!print) {
      const { runCommand } = await import("./run_command.ts");
      return await runCommand(name, rest, around);
    }
    around.out(await print());
    return 0;
  } catch (error) {
    around.err(`jarvis-agent: ${messageOf(error)}`);
    return error instanceof VariableError ? 2 : 1;
  }
}

async function version(): Promise<string> {
  const { VERSION } = await import("../host/version.ts");
  return `jarvis-agent ${VERSION}`;
}

async function help(): Promise<string> {
  return (await import("./help.ts")).programHelp();
}

const PRINTED: Record<string, () => Promise<string>> = {
  "--version": version,
  "-V": version,
  "-v": version,
  "--help": help,
  "-h": help,
  "help": help,
};
