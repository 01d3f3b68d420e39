import { VERSION } from "../../host/version.ts";
import { type CommandContext, ExitCode, optionsOf } from "../command.ts";
import { COMMANDS } from "../commands.ts";
import {
  flagOf,
  helpOf,
  type OptionName,
  OPTIONS,
  specOf,
} from "../settings/options.ts";

/** Prints the manual page, as troff has it. */
export function run({ out }: CommandContext): number {
  manualPage().forEach((line) => out(line));
  return ExitCode.ok;
}

function manualPage(): string[] {
  const used = new Set(Object.values(COMMANDS).flatMap(optionsOf));
  const options = (Object.keys(OPTIONS) as OptionName[])
    .filter((name) => used.has(name));
  return [
    `.TH JARVIS\\-AGENT 1 "" "jarvis\\-agent ${escape(VERSION)}"`,
    ".SH NAME",
    "jarvis\\-agent \\- delivers every capture of this host to the capture server",
    ".SH SYNOPSIS",
    ".B jarvis\\-agent",
    ".I COMMAND",
    "[OPTIONS] [ARGUMENTS]",
    ".SH COMMANDS",
    ...Object.entries(COMMANDS).flatMap(([name, command]) => [
      ".TP",
      `.B ${escape(`${name} ${command.args ?? ""}`.trim())}`,
      `${escape(command.summary)}.`,
      ...(command.notes
        ? [".RS", ".PP", ...verbatim(command.notes), ".RE"]
        : []),
      ".RS",
      ".PP",
      "Options:",
      escape(optionsOf(command).map((option) => `--${option}`).join(", ")) ||
      "none",
      ".PP",
      "Example:",
      ...verbatim(command.example),
      ".RE",
    ]),
    ".SH OPTIONS",
    ...options.flatMap((name) => describe(name)),
    ".SH EXIT STATUS",
    ...Object.entries(EXITS).flatMap((
      [code, text],
    ) => [".TP", `.B ${code}`, text]),
  ];
}

const EXITS = {
  0: "All was done.",
  1: "Something failed that a repetition does not change.",
  2: "The command line or a setting is wrong.",
  75: "It may succeed later.",
};

function describe(name: OptionName): string[] {
  const { env } = specOf(name);
  const variable = env ? [`Variable: ${escape(env)}.`] : [];
  return [
    ".TP",
    `.B ${escape(flagOf(name))}`,
    `${escape(helpOf(name))}.`,
    ...variable,
  ];
}

/** Lines that are not to be filled. */
function verbatim(text: string): string[] {
  return [".nf", ...text.split("\n").map(escape), ".fi"];
}

/** A text that troff takes for nothing else. */
function escape(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-")
    .replace(/^[.']/, "\\&$&");
}
