import { AgentRunningError } from "../agent/agent_lock.ts";
import { inOwnWords } from "../host/deno_words.ts";
import { createLog, type LogLevel, oneLine } from "../host/log.ts";
import { messageOf } from "../host/message_of.ts";
import { isJournal } from "../host/systemd_journal.ts";
import { readAllSettings, warnOfUnknown } from "./settings/all_settings.ts";
import { type OptionValues, UsageError } from "./arguments.ts";
import { didYouMean, either } from "./closest.ts";
import {
  type Command,
  type CommandContext,
  ExitCode,
  optionsOf,
  type Surroundings,
} from "./command.ts";
import { commandsThatTake, parseCommandLine } from "./command_line.ts";
import { COMMANDS } from "./commands.ts";
import { exitCodeOf, remedyFor } from "./exit_code.ts";
import { commandHelp } from "./help.ts";

/** Runs one command and returns the exit code. Errors are told on standard error, never thrown. */
export async function runCommand(
  name: string,
  args: string[],
  around: Surroundings,
): Promise<number> {
  const standardError = new StandardError(name, args, around);
  try {
    return await dispatch(name, args, { around, standardError });
  } catch (error) {
    await tellManager(error, around.env("NOTIFY_SOCKET"));
    standardError.begin();
    return explain(name, error, (line) => standardError.say("error", line));
  }
}

/** Tells the service manager, if there is one, why the program cannot go on. */
async function tellManager(error: unknown, socket?: string): Promise<void> {
  if (!socket) return;
  const { Notifier } = await import("../host/notify.ts");
  await using notifier = new Notifier({ socket });
  notifier.status(inOwnWords(messageOf(error)));
}

async function dispatch(
  name: string,
  args: string[],
  { around, standardError }: {
    around: Surroundings;
    standardError: StandardError;
  },
): Promise<number> {
  const command = commandOf(name, args);
  const names = optionsOf(command);
  const { given, positionals, help } = parseCommandLine(
    args,
    names,
    around.env,
  );
  if (help) {
    around.out(commandHelp(name, command));
    return ExitCode.ok;
  }
  assertCount(name, command, positionals);
  // File names may hold line breaks or terminal escapes.
  const out: Surroundings["out"] = (text, end) =>
    around.out(oneLine(text), end);
  const err = (line: string) => standardError.warn(line);
  const read = async (env: Surroundings["env"], given: OptionValues) => {
    const { toleratesWrong: tolerant = false } = command;
    const onGiven = (all: OptionValues) =>
      standardError.begin(all.text("log-format"));
    const all = readAllSettings(given, { env, err }, { tolerant, onGiven });
    if (command.readsToken ?? true) await all.settings.token.reload();
    return all;
  };
  const { file, wrong, ...now } = await read(around.env, given);
  warnOfUnknown(around.envNames(), "the environment", err);
  warnOfUnknown(file?.variables.keys() ?? [], `"${file?.path}"`, err);
  const context: CommandContext = {
    ...around,
    ...now,
    out,
    err,
    writeLog: around.err,
    settingsFile: file,
    wrongSettings: wrong,
    args: positionals,
    reread: async (env) =>
      (await read(env, parseCommandLine(args, names, env).given)).settings,
  };
  const { run } = await command.load();
  return await run(context);
}

function commandOf(name: string, args: string[]): Command {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command) return command;
  if (name.startsWith("-")) {
    // The text after the name may be a secret.
    const option = name.replace(/=.*$/s, "");
    const takers = commandsThatTake(option.slice(2));
    const taker = takers.find((one) => args.includes(one)) ?? takers[0];
    const example = taker === undefined ? "status" : `${taker} ${option}`;
    throw new UsageError(
      `Cannot begin with the option "${option}": expected a command before it, like "${example}"`,
    );
  }
  const near = didYouMean(name, Object.keys(COMMANDS), (one) => `"${one}"`);
  throw new UsageError(`Unknown command "${name}"${near}`);
}

function assertCount(name: string, command: Command, args: string[]): void {
  const { args: expected = "", min = expected === "" ? 0 : 1 } = command;
  const max = expected.includes("...") ? Infinity : expected === "" ? 0 : 1;
  if (args.length < min) {
    throw new UsageError(
      `"${name}" lacks an argument: expected ${expected}`,
    );
  }
  if (args.length > max) {
    const taken = max > 0
      ? `only one, ${expected}`
      : "no arguments but options";
    throw new UsageError(
      `Cannot use "${args[max]}": "${name}" takes ${taken}`,
    );
  }
  const words = /^[a-z]+(\|[a-z]+)+$/.test(expected) ? expected.split("|") : [];
  const odd = args.find((arg) => words.length > 0 && !words.includes(arg));
  if (odd !== undefined) {
    throw new UsageError(
      `Cannot use "${odd}": "${name}" takes ${either(words)}`,
    );
  }
  // Most likely a shell variable that is not set; as a path it would mean this folder.
  if (args.includes("")) {
    throw new UsageError(`Cannot use an empty argument: expected ${expected}`);
  }
}

/** Tells the error and its remedy; returns the exit code. */
function explain(
  name: string,
  error: unknown,
  err: (line: string) => void,
): number {
  err(`jarvis-agent: ${inOwnWords(messageOf(error))}`);
  if (error instanceof UsageError) {
    const topic = Object.hasOwn(COMMANDS, name) ? `${name} --help` : "--help";
    err(`Try "jarvis-agent ${topic}".`);
  } else if (error instanceof AgentRunningError) {
    err('"jarvis-agent status" shows it; end it before starting another one.');
  } else {
    const remedy = remedyFor(error);
    if (remedy !== undefined) err(remedy);
  }
  return exitCodeOf(error);
}

const PREFIX = /^jarvis-agent: /;

/**
 * A command's messages on standard error besides its log: for people, or where the
 * log is JSON as lines of the log, so that its reader can read every line.
 */
class StandardError {
  readonly #around: Surroundings;
  readonly #isAgent: boolean;
  #format: string | undefined;
  /** The messages from before the format is known. */
  #waiting: string[] | undefined = [];

  constructor(name: string, args: string[], around: Surroundings) {
    this.#around = around;
    this.#isAgent = Object.hasOwn(COMMANDS, name) &&
      COMMANDS[name]!.isAgent === true;
    this.#format = givenFormat(args) ?? around.env("JARVIS_LOG_FORMAT");
  }

  /** Writes what was kept, now that the log's format is known; by default the given one. */
  begin(format: string | undefined = this.#format): void {
    this.#format = format;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    waiting.forEach((line) => this.say("warn", line));
  }

  /** Writes a line, once the format is known. */
  warn(line: string): void {
    if (this.#waiting) this.#waiting.push(line);
    else this.say("warn", line);
  }

  /** Writes a line at once. */
  say(level: LogLevel, line: string): void {
    const { err, env } = this.#around;
    // A file's name may hold line breaks, or characters that control a terminal.
    if (!this.#isAgent || this.#format !== "json") return err(oneLine(line));
    const journal = isJournal(env("JOURNAL_STREAM"));
    createLog({ write: err, journal, format: "json" })(
      level,
      line.replace(PREFIX, ""),
    );
  }
}

/** The value of `--log-format` as far as it can be told from arguments that may be wrong. */
function givenFormat(args: string[]): string | undefined {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const at = args.slice(0, end).findLastIndex((arg) =>
    /^--log-format(=|$)/.test(arg)
  );
  return at < 0 ? undefined : args[at]!.split("=")[1] ?? args[at + 1];
}
