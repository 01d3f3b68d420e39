import { createLog, type LogLevel, oneLine } from "../host/log.ts";
import { isJournal } from "../host/systemd_journal.ts";
import { COMMANDS } from "./commands.ts";
import type { Surroundings } from "./command.ts";

const PREFIX = /^jarvis-agent: /;

/**
 * What a command says on standard error besides its log: for people, or where the log
 * is JSON as lines of the log, so that whoever reads it can read every line.
 */
export class StandardError {
  readonly #around: Surroundings;
  readonly #isAgent: boolean;
  #format: string | undefined;
  /** What is said before the format is known. */
  #waiting: string[] | undefined = [];

  constructor(name: string, args: string[], around: Surroundings) {
    this.#around = around;
    this.#isAgent = Object.hasOwn(COMMANDS, name) &&
      COMMANDS[name]!.isAgent === true;
    this.#format = givenFormat(args) ?? around.env("JARVIS_LOG_FORMAT");
  }

  /** From now on the format of the log is known; without one it stays what was given. */
  begin(format: string | undefined = this.#format): void {
    this.#format = format;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    waiting.forEach((line) => this.say("warn", line));
  }

  /** Says something, once the format is known. */
  warn(line: string): void {
    if (this.#waiting) this.#waiting.push(line);
    else this.say("warn", line);
  }

  /** Says something at once. */
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
