import { AgentRunningError } from "../agent_lock.ts";
import { readSettings } from "../config.ts";
import { oneLine } from "../log.ts";
import { UsageError } from "../given.ts";
import type { Surroundings } from "./cli.ts";
import { closest } from "./closest.ts";
import { type Command, ExitCode, exitCodeOf } from "./command.ts";
import { parseCommandLine } from "./command_line.ts";
import { COMMANDS } from "./commands.ts";
import { commandHelp } from "./help.ts";

/**
 * Runs one command and returns the exit code. Whatever goes wrong is told on
 * standard error, never thrown.
 */
export async function runCommand(
  name: string,
  rest: string[],
  around: Surroundings,
): Promise<number> {
  try {
    return await dispatch(name, rest, around);
  } catch (error) {
    return explain(name, error, around);
  }
}

async function dispatch(
  name: string,
  rest: string[],
  around: Surroundings,
): Promise<number> {
  const { env, out, err } = around;
  const command = commandOf(name);
  const line = parseCommandLine(rest, command.options, env);
  if (line.help) {
    out(commandHelp(name, command));
    return ExitCode.ok;
  }
  assertCount(name, command, line.positionals);
  const settings = readSettings(line.given, env);
  const { run } = await command.load();
  return await run({
    ...around,
    // A file's name may hold line breaks, or what a terminal would obey.
    out: (text) => out(oneLine(text)),
    err: (text) => err(oneLine(text)),
    settings,
    given: line.given,
    args: line.positionals,
    reread: (env) =>
      readSettings(parseCommandLine(rest, command.options, env).given, env),
  });
}

function commandOf(name: string): Command {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command) return command;
  if (name.startsWith("-")) {
    // What follows the name may be a secret.
    const option = name.replace(/=.*$/s, "");
    throw new UsageError(
      `Cannot begin with the option "${option}": expected a command before it, like "status ${option}"`,
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
function explain(
  name: string,
  error: unknown,
  { err }: Surroundings,
): number {
  const message = error instanceof Error ? error.message : String(error);
  err(oneLine(`jarvis-agent: ${message}`));
  if (error instanceof UsageError) {
    const topic = Object.hasOwn(COMMANDS, name) ? `${name} --help` : "--help";
    err(`Try "jarvis-agent ${topic}".`);
  } else if (error instanceof AgentRunningError) {
    err('"jarvis-agent status" shows it; end it before starting another one.');
  }
  return exitCodeOf(error);
}
