import { parseArgs } from "@std/cli/parse-args";
import { DELIMITER } from "@std/path";
import { type OptionValue, OptionValues, UsageError } from "./arguments.ts";
import { type OptionName, specOf } from "./settings/options.ts";
import { didYouMean, either } from "./closest.ts";
import { optionsOf } from "./command.ts";
import { COMMANDS } from "./commands.ts";

/** The options of a command that takes no more are listed where another was given. */
const MAX_LISTED = 6;

/** A command line, taken apart. */
export interface CommandLine {
  given: OptionValues;
  /** The arguments that are not options. */
  positionals: string[];
  /** Whether help is asked for. */
  help: boolean;
}

/**
 * Parses the arguments after the name of a command, and fills in options that only
 * the environment gives.
 *
 * @param names The options that the command takes.
 * @throws {UsageError} on any other option, one that lacks its value, or has several
 * where it takes one.
 */
export function parseCommandLine(
  args: string[],
  names: readonly OptionName[],
  env: (name: string) => string | undefined,
): CommandLine {
  const valued = names.filter((name) => specOf(name).value);
  const switches = names.filter((name) => !specOf(name).value);
  const { rest, settings } = spell(args, names);
  const parsed = parseArgs(rest, {
    // "_" keeps a positional like 007 from becoming a number.
    string: [...valued, "_"],
    boolean: [...switches, "help"],
    collect: valued,
    alias: { help: "h" },
    unknown: (arg) => {
      if (!arg.startsWith("-") || arg === "-") return true;
      throw unknownOption(arg, names);
    },
  }) as Record<string, unknown>;
  const values = new Map<OptionName, OptionValue>();
  for (const name of names) {
    const texts = [
      ...parsed[name] === true ? ["true"] : [],
      ...settings.get(name) ?? [],
      ...textsOf(name, parsed[name]),
    ];
    if (!specOf(name).repeatable && new Set(texts).size > 1) {
      // Without the values: they may be secrets.
      throw new UsageError(
        `Cannot use --${name} twice, with different values: expected one`,
      );
    }
    const value = texts.length > 0
      ? { source: `--${name}`, texts }
      : valueOf(name, env);
    if (value) values.set(name, value);
  }
  const given = new OptionValues(names, values);
  // Throws if a value is neither yes nor no.
  switches.forEach((name) => given.has(name));
  return {
    given,
    positionals: (parsed._ as unknown[]).map(String),
    help: parsed.help === true,
  };
}

/** Rewrites arguments that the parser would misread, and takes out those that it would lose. */
function spell(
  args: string[],
  names: readonly OptionName[],
): { rest: string[]; settings: Map<string, string[]> } {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const rest: string[] = [];
  const settings = new Map<string, string[]>();
  for (let at = 0; at < end; at++) {
    const aliased = names.find((name) => specOf(name).alias === args[at]);
    const arg = aliased === undefined ? args[at]! : `--${aliased}`;
    const [, word = "", value] = /^--([^=]+)(?:=(.*))?$/s.exec(arg) ?? [];
    const name = names.find((name) => name === word);
    const isValued = name !== undefined && specOf(name).value !== undefined;
    if (name !== undefined && value !== undefined && !isValued) {
      // It would take every value but "false" for yes, and that for not given.
      settings.set(name, [...settings.get(name) ?? [], value]);
    } else if (
      value === undefined && isValued && at + 1 < end &&
      /^-(\d|$)/.test(args[at + 1]!)
    ) {
      // It would take a negative number, or a dash alone, for an option.
      rest.push(`${arg}=${args[++at]}`);
    } else {
      rest.push(arg);
    }
  }
  return { rest: [...rest, ...args.slice(end)], settings };
}

function textsOf(name: OptionName, found: unknown): string[] {
  if (!Array.isArray(found)) return [];
  if (!found.includes("")) return found.map(String);
  throw new UsageError(
    `Cannot use --${name} without a value: expected ${specOf(name).value}`,
  );
}

/** An option's value in its variable, if that is set. */
export function valueOf(
  name: OptionName,
  env: (name: string) => string | undefined,
): OptionValue | undefined {
  const { env: variable, repeatable } = specOf(name);
  const text = variable && env(variable);
  if (!text) return undefined;
  const texts = repeatable ? text.split(DELIMITER).filter(Boolean) : [text];
  return { source: variable, texts };
}

function unknownOption(arg: string, names: readonly string[]): UsageError {
  // The text after the name may be a secret.
  const option = arg.replace(/=.*$/s, "");
  const name = option.replace(/^-+/, "");
  if (name === "token") {
    return new UsageError(
      "Cannot take a token as an argument, where every user of this machine sees it: " +
        "expected --token-file FILE, or JARVIS_TOKEN",
    );
  }
  const near = didYouMean(name, names, (other) => `--${other}`);
  return new UsageError(
    `Unknown option "${option}"${near || expectedInstead(option, names)}`,
  );
}

/** The expected options where none is similar; nothing if they take more than a line. */
function expectedInstead(option: string, names: readonly string[]): string {
  if (!option.startsWith("--")) {
    return ": expected two dashes and a name, or -- before an argument that begins with one";
  }
  const takers = commandsThatTake(option.slice(2));
  if (takers.length > 0) {
    const some = takers.length > 3 ? [...takers.slice(0, 2), "others"] : takers;
    return `: expected it with ${either(some)}`;
  }
  if (names.length > MAX_LISTED) return "";
  return `: expected ${either(names.map((name) => `--${name}`))}`;
}

/** The names of the commands that take an option. */
export function commandsThatTake(option: string): string[] {
  return Object.entries(COMMANDS)
    .filter(([_, command]) => optionsOf(command).some((one) => one === option))
    .map(([name]) => name);
}
