import type { Command, CommandContext } from "../command.ts";
import { ExitCode, optionsOf } from "../command.ts";
import { COMMANDS } from "../commands.ts";
import {
  helpOf,
  type OptionName,
  OPTIONS,
  specOf,
} from "../settings/options.ts";

const SHELLS: Readonly<Record<string, () => string>> = { bash, zsh, fish };

/** Prints a script that lets a shell complete this program's command lines. */
export function run({ args, out }: CommandContext): number {
  SHELLS[args[0]!]!().split("\n").forEach((line) => out(line));
  return ExitCode.ok;
}

function bash(): string {
  const valued = Object.keys(OPTIONS) as OptionName[];
  const values = valued.flatMap((name) => {
    const { value } = specOf(name);
    if (!value) return [];
    return [`    --${name}) words="${wordsIn(value).join(" ")}" ;;`];
  });
  const commands = Object.entries(COMMANDS).map(([name, command]) => {
    const options = [...flagsOf(command), "--help"].join(" ");
    const words = wordsIn(command.args).join(" ");
    return `    ${name}) options="${options}" words="${words}" ;;`;
  });
  // If there is nothing to choose from bash completes names of files.
  return `_jarvis_agent() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}"
  local options="" words="" isValue=1
  case "$prev" in
${values.join("\n")}
    *) isValue="" ;;
  esac
  if [ -z "$isValue" ]; then
    case "\${COMP_WORDS[1]}" in
${commands.join("\n")}
    esac
  fi
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="${Object.keys(COMMANDS).join(" ")}"
  fi
  case "$cur" in
    -*) words="$options" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _jarvis_agent jarvis-agent`;
}

function zsh(): string {
  const summaries = Object.entries(COMMANDS).map(([name, { summary }]) =>
    `    ${quote(`${name}:${summary}`)}`
  );
  const commands = Object.entries(COMMANDS).map(([name, command]) => {
    const specs = optionsOf(command).map((option) => {
      const { value, repeatable } = specOf(option);
      const text = helpOf(option).replace(/[\[\]:\\]/g, "\\$&");
      const action = value
        ? `:${value.replaceAll(":", "\\:")}:${zshValues(value)}`
        : "";
      return quote(`${repeatable ? "*" : ""}--${option}[${text}]${action}`);
    });
    const args = command.args
      ? [quote(`*:${zshName(command)}:${zshValues(command.args)}`)]
      : [];
    const all = ["'--help[Show help]'", ...specs, ...args];
    return `    ${name}) _arguments ${all.join(" \\\n      ")} ;;`;
  });
  return `#compdef jarvis-agent
_jarvis_agent() {
  local -a commands
  commands=(
${summaries.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case "$words[1]" in
${commands.join("\n")}
  esac
}
compdef _jarvis_agent jarvis-agent
if [ "$funcstack[1]" = _jarvis-agent ]; then _jarvis_agent "$@"; fi`;
}

function zshName({ args = "" }: Command): string {
  return args.replace(/[:|. ]+/g, " ").trim();
}

function zshValues(text: string): string {
  const words = wordsIn(text);
  if (words.length > 0) return `(${words.join(" ")})`;
  return /FILE|DIR/.test(text) ? "_files" : " ";
}

function fish(): string {
  const first = "complete -c jarvis-agent -n __fish_use_subcommand -f";
  const lines = Object.entries(COMMANDS).flatMap(([name, command]) => {
    const seen = `complete -c jarvis-agent -n ${
      quote(`__fish_seen_subcommand_from ${name}`)
    }`;
    const { summary, args = "" } = command;
    const words = wordsIn(args).join(" ");
    const noFiles = /FILE|DIR/.test(args) ? [] : [`${seen} -f`];
    return [
      `${first} -a ${name} -d ${quote(summary)}`,
      ...noFiles,
      ...(words ? [`${seen} -f -a ${quote(words)}`] : []),
      ...optionsOf(command).map((option) => {
        const { value } = specOf(option);
        const choices = wordsIn(value).join(" ");
        return `${seen} -l ${option}` +
          (value ? " -r" : "") + (choices ? ` -f -a ${quote(choices)}` : "") +
          ` -d ${quote(helpOf(option))}`;
      }),
    ];
  });
  return lines.join("\n");
}

function flagsOf(command: Command): string[] {
  return optionsOf(command).map((name) => `--${name}`);
}

/** The words that a value or an argument is one of, if it is. */
function wordsIn(text = ""): string[] {
  return text.includes("|") || text === text.toLowerCase()
    ? text.split("|").filter((word) => /^[a-z]+$/.test(word))
    : [];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
