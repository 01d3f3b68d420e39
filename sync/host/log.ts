import { inOwnWords } from "./deno_words.ts";

/** The urgency of a line. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** The fields beside the message, for programs that read the log. No name in it may change. */
export interface LogFields {
  /** The event, in one word. */
  event: string;
  captureId?: string;
  /** The number of the attempt at the capture. */
  attempt?: number;
  /** The HTTP status; `null` if there was no answer. */
  status?: number | null;
  ms?: number;
  bytes?: number | null;
  /** The server's id of the capture. */
  serverId?: string | null;
}

/** Takes one line of the log. Secrets and metadata never come here. */
export type Log = (
  level: LogLevel,
  message: string,
  fields?: LogFields,
) => void;

/** Options for {@linkcode createLog}. */
export interface LogOptions {
  /** Takes each line, without its line break. */
  write: (line: string) => void;
  /**
   * Whether the journal reads it: it takes the priority from the front of the
   * line and has a clock of its own.
   *
   * @default {false}
   */
  journal?: boolean;
  /** Lines that are less urgent are left out. @default {"info"} */
  level?: LogLevel;
  /** `json`: each line is an object, for programs. @default {"text"} */
  format?: "text" | "json";
}

/** syslog's priorities, as the journal reads them. */
const PRIORITY: Record<LogLevel, number> = {
  error: 3,
  warn: 4,
  info: 6,
  debug: 7,
};

/** Returns a log that writes one line for each message. */
export function createLog(options: LogOptions): Log {
  const { write, journal = false, format = "text" } = options;
  const least = PRIORITY[options.level ?? "info"];
  return (level, message, fields) => {
    if (PRIORITY[level] > least) return;
    const time = new Date().toISOString();
    const line = format === "json"
      ? JSON.stringify({ time, level, event: "note", ...fields, message })
      : `${journal ? "" : `${time} ${level.padEnd(5)} `}${message}`;
    write((journal ? `<${PRIORITY[level]}>` : "") + oneLine(line));
  };
}

/** How many things are remembered to have been said. */
const MAX_SAID = 1_000;

/** Logs each subject once, however often it is found. */
export class OnceLog {
  readonly #log: Log;
  readonly #said = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param about The subject of the message: nothing more is logged about it. */
  warn(about: string, message: string): void {
    if (this.#said.has(about)) return;
    if (this.#said.size >= MAX_SAID) this.#said.clear();
    this.#said.add(about);
    this.#log("warn", message);
  }

  /** It is over: if it comes again, it is logged again. */
  forget(about: string): void {
    this.#said.delete(about);
  }
}

/** Characters that control a terminal, or that reorder or hide text. */
const UNPRINTABLE =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Returns the text in this program's words, with every unprintable character escaped
 * as in JSON: it stays on one line, and cannot control a terminal.
 */
export function oneLine(text: string): string {
  return inOwnWords(text).replace(
    UNPRINTABLE,
    (character) => character === "\n" ? "\\n" : escape(character),
  );
}

function escape(character: string): string {
  return character.split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}
