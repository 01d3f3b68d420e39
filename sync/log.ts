/** How urgent a line is. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Takes one line of the log. Secrets and metadata never come here. */
export type Log = (level: LogLevel, message: string) => void;

/** Options for {@linkcode createLog}. */
export interface LogOptions {
  /** Where lines go, each without its line break. */
  write: (line: string) => void;
  /**
   * Whether the journal reads it: it takes the priority from the front of the
   * line and has a clock of its own.
   *
   * @default {false}
   */
  journal?: boolean;
  /**
   * Whether `debug` lines are wanted.
   *
   * @default {false}
   */
  verbose?: boolean;
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
  const { write, journal = false, verbose = false } = options;
  return (level, message) => {
    if (level === "debug" && !verbose) return;
    // A file name may hold line breaks; a log line must not.
    const text = message.replace(/[\r\n]+/g, " ");
    write(
      journal
        ? `<${PRIORITY[level]}>${text}`
        : `${new Date().toISOString()} ${level.padEnd(5)} ${text}`,
    );
  };
}
