import { flagOf, helpOf, type OptionName, specOf } from "./settings/options.ts";
import { VERSION } from "../host/version.ts";
import { type Command, optionsOf } from "./command.ts";
import { COMMANDS } from "./commands.ts";

/** The help of the whole program. */
export function programHelp(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length));
  const rows = Object.entries(COMMANDS)
    .map(([name, { summary }]) => `  ${name.padEnd(width)} ${summary}`);
  return `jarvis-agent ${VERSION}: delivers every capture of this host to the capture server.

Usage: jarvis-agent COMMAND [OPTIONS] [ARGUMENTS]

${rows.join("\n")}

jarvis-agent COMMAND --help tells more; jarvis-agent --version (-v) prints the version.
Every option with a variable in brackets may be set there instead. -- ends the options.`;
}

/** The help of one command. */
export function commandHelp(name: string, command: Command): string {
  const { summary, args = "", example, notes } = command;
  const usage = `jarvis-agent ${name} [OPTIONS] ${args}`.trim();
  return [
    `${summary}.`,
    `Usage: ${usage}`,
    optionsOf(command).map((option) => optionHelp(option))
      .join("\n"),
    notes,
    `Example:\n  ${example}`,
  ].filter(Boolean).join("\n\n");
}

function optionHelp(name: OptionName): string {
  const { env } = specOf(name);
  return `  ${flagOf(name)}${env ? ` [${env}]` : ""}\n      ${helpOf(name)}`;
}
