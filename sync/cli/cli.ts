import { AgentRunningError } from "../agent.ts";
import { readSettings } from "../config.ts";
import { NoRoomError } from "../intake.ts";
import { closest, parseCommandLine, UsageError } from "../options.ts";
import { VERSION } from "../version.ts";
import {
  type Command,
  type CommandContext,
  ExitCode,
  TemporaryError,
} from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { commandHelp, programHelp } from "./help.ts";

/** What the program has around it. */
export type Surroundings =
  & Pick<CommandContext, "out" | "err" | "signal" | "onReload">
  & { env: (name: string) => string | undefined };

/**
 * Runs one command line and returns the exit code. Whatever goes wrong is told
 * on standard error, never thrown.
 */
export async function runCommandLine(
  args: string[],
  around: Surroundings,
): Promise<number> {
  const [name = "--help", ...rest] = args;
  if (["--help", "-h", "help"].includes(name)) return help(rest, around);
  if (["--version", "-V"].includes(name)) {
    around.out(`jarvis-agent ${VERSION}`);
    return ExitCode.ok;
  }
  try {
    const command = commandOf(name);
    const { given, positionals, help } = parseCommandLine(
      rest,
      command.options,
      around.env,
    );
    if (help) {
      around.out(commandHelp(name, command));
      return ExitCode.ok;
    }
    assertCount(name, command, positionals);
    const settings = readSettings(given, around.env);
    const { run } = await command.load();
    return await run({ ...around, settings, given, args: positionals });
  } catch (error) {
    return explain(name, error, around);
  }
}

function help([name]: string[], around: Surroundings): number {
  const command = name === undefined ? undefined : COMMANDS[name];
  around.out(
    command && name ? commandHelp(name, command) : programHelp(COMMANDS),
  );
  return ExitCode.ok;
}

function commandOf(name: string): Command {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command) return command;
  if (name.startsWith("-")) {
    throw new UsageError(
      `Cannot begin with the option "${name}": expected a command before it, like "status ${name}"`,
    );
  }
  const near = closest(name, Object.keys(COMMANDS));
  throw new UsageError(
    `Unknown command "${name}"${near ? `; did you mean "${near}"?` : ""}`,
  );
}

function assertCount(name: string, command: Command, args: string[]): void {
  const { min = 0, max = Infinity } = command;
  if (args.length < min) {
    throw new UsageError(`Cannot ${name} nothing: expected ${command.args}`);
  }
  if (args.length > max) {
    throw new UsageError(
      `Cannot use "${args[max]}": "${name}" takes no arguments but options`,
    );
  }
}

/** Tells a person what went wrong and, where there is something, what to do about it. */
function explain(name: string, error: unknown, around: Surroundings): number {
  const message = error instanceof Error ? error.message : String(error);
  around.err(`jarvis-agent: ${message}`);
  if (error instanceof UsageError) {
    const topic = Object.hasOwn(COMMANDS, name) ? `${name} --help` : "--help";
    around.err(`Try "jarvis-agent ${topic}".`);
    return ExitCode.usage;
  }
  if (error instanceof AgentRunningError) {
    around.err(
      '"jarvis-agent status" shows it; end it before starting another one.',
    );
    return ExitCode.failure;
  }
  const temporary = error instanceof TemporaryError ||
    error instanceof NoRoomError;
  return temporary ? ExitCode.temporary : ExitCode.failure;
}
