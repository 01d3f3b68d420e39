import { readSettings } from "./config.ts";
import { oneLine } from "../host/log.ts";
import type { OptionName } from "./options.ts";
import type { CommandContext, Surroundings } from "./command.ts";
import { type CommandLine, parseCommandLine } from "./command_line.ts";

/**
 * Puts together what a command is given to work with.
 *
 * @param line What the arguments `args` say, of which `names` are the options.
 * @throws {UsageError} if the settings cannot be used.
 */
export function contextOf(
  { given, positionals }: CommandLine,
  { args, names, around }: {
    args: string[];
    names: readonly OptionName[];
    around: Surroundings;
  },
): CommandContext {
  return {
    ...around,
    // A file's name may hold line breaks, or what a terminal would obey.
    out: (text) => around.out(oneLine(text)),
    err: (text) => around.err(oneLine(text)),
    settings: readSettings(given, around.env),
    given,
    args: positionals,
    reread: (env) =>
      readSettings(parseCommandLine(args, names, env).given, env),
  };
}
