import { SETTING_OPTIONS } from "./setting_options.ts";

/** One option: its value, its variable and its help. */
export interface OptionSpec {
  /** The environment variable that stands in for it. */
  env?: string;
  /** The name of its value in the help; none for a switch. */
  value?: string;
  /** Another way to write it, dashes included. */
  alias?: string;
  /** The kind of file that its value is the path of. */
  path?: "file" | "folder";
  /** Whether it may be given several times. */
  repeatable?: boolean;
  /** The kind of its value if that may hold a secret; see {@linkcode shownValue}. */
  secret?: "address" | "command";
  /** The value that holds if none is given, written as one is. */
  standard?: string;
  /** What holds if none is given, in words, where it is no such value. */
  unset?: string;
  /** The effect, without the default; see {@linkcode helpOf}. */
  help: string;
}

/** Every option there is; each command takes some of them. */
export const OPTIONS = {
  ...SETTING_OPTIONS,
  "move": {
    help:
      "Take the file away instead of copying it; refused if it cannot be removed",
  },
  "no-copy": {
    help:
      "Keep no copy: the file must stay where it is, unchanged, until it is delivered",
  },
  "metadata": {
    value: "KEY=VALUE",
    repeatable: true,
    help: "One entry of the metadata; may be repeated",
  },
  "metadata-json": {
    value: "JSON",
    help: "The metadata as a JSON object",
  },
  "metadata-file": {
    value: "FILE",
    help:
      "A file with the metadata as a JSON object, - for standard input; unlike arguments, nobody else sees it",
  },
  "status": {
    value: "STATUS",
    help: "Only captures that are pending, uploading, failed or delivered",
  },
  "since": {
    value: "TIME",
    help: "Only what came since then, like 2h, 7d or 2026-03-01",
  },
  "reason": {
    value: "TEXT",
    help: "Only captures whose last error has this text in it",
  },
  "path": {
    value: "GLOB",
    help: "Only captures whose name matches, or with a slash, whose whole path",
  },
  "group": { value: "reason", help: "Count them by their last error" },
  "check": {
    help:
      "Print one line, and exit 0, 1 (a person is needed) or 2 (not working)",
  },
  "max-age": {
    value: "TIME",
    standard: "1h",
    help: "With --check: how long a capture may wait, like 30m",
  },
  "max-failed": {
    value: "N",
    standard: "0",
    help: "With --check: how many captures may have failed",
  },
  "follow": {
    alias: "--watch",
    help: "Show it again every second (--watch does the same)",
  },
  "limit": { value: "N", standard: "100", help: "At most so many" },
  "for": {
    value: "TIME",
    unset: 'until "resume"',
    help: "How long, like 30m or 2h",
  },
  "days": { value: "DAYS", standard: "7", help: "Older than so many days" },
  "failed": { help: "Every capture that failed" },
  "priority": {
    value: "N",
    standard: "0",
    help: "Send them before all of a lower priority, 0 to 100",
  },
  "yes": { help: "Do not ask" },
  "all": { help: "Every capture that failed or waits" },
  "dry-run": {
    help:
      "Only list what would be done: taken of the watched folders, and why not the rest, or removed",
  },
  "quiet": {
    alias: "-q",
    help: "Say nothing but what went wrong (-q does the same)",
  },
  "json": { help: "Print JSON" },
} as const satisfies Record<string, OptionSpec>;

/**
 * Returns as much of an option's value as may be shown: of an address that is a
 * secret only where it leads, of a command only the program.
 */
export function shownValue(name: OptionName, text: string): string {
  const { secret } = specOf(name);
  if (secret === "command") {
    const [program] = /^[\w./-]+(?=\s|$)/.exec(text) ?? [];
    return program === text ? text : `${program ?? ""} …`.trim();
  }
  if (secret === undefined) return text;
  const { host, origin } = URL.parse(text) ?? {};
  return host ? `${origin}/…` : "…";
}

/** The name of an option, without its dashes. */
export type OptionName = keyof typeof OPTIONS;

/** An option that has a value also if none is given. */
export type StandardName = {
  [N in OptionName]: (typeof OPTIONS)[N] extends { standard: string } ? N
    : never;
}[OptionName];

/** An option whose value is a path. */
export type PathName = {
  [N in OptionName]: (typeof OPTIONS)[N] extends { path: string } ? N : never;
}[OptionName];

/** An option as it is written, with the name of its value. */
export function flagOf(name: OptionName): string {
  const { value } = specOf(name);
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

export function specOf(name: OptionName): OptionSpec {
  return OPTIONS[name];
}

/** What holds if an option is not given; `undefined` if that goes without saying. */
export function defaultOf(name: OptionName): string | undefined {
  const { standard, unset } = specOf(name);
  return standard ?? unset;
}

/** The effect of an option, and its default. */
export function helpOf(name: OptionName): string {
  const standard = defaultOf(name);
  const { help } = specOf(name);
  return standard === undefined ? help : `${help} (default: ${standard})`;
}

/** Options that several commands take. */
export const STORE = ["data-dir"] as const;
export const SERVER = [
  "server",
  "token-file",
  "token-command",
  "ca-file",
  "client-cert",
  "client-key",
  "allow-insecure",
  "timeout",
] as const;
export const SPOOL = ["max-spool-bytes", "min-free-bytes"] as const;
export const SELECTION = ["since", "path", "limit"] as const;
export const METADATA = [
  "metadata",
  "metadata-json",
  "metadata-file",
] as const;

/** The options of commands that upload. */
export const UPLOADS = [...SERVER, "proof", "bandwidth"] as const;

/** The options for the output of commands that a person waits for. */
export const TALK = ["quiet", "verbose", "json"] as const;

/** The options for the order of captures, and how many are sent at a time. */
export const TURNS = ["order", "concurrency"] as const;

/** The options of `run`, with which a service is installed, too. */
export const RUN_OPTIONS = [
  ...UPLOADS,
  ...STORE,
  ...SPOOL,
  ...TURNS,
  "schedule",
  "watch",
  "settle",
  "include",
  "exclude",
  "min-size",
  "max-size",
  "after-upload",
  "copy-up-to",
  "keep-history",
  "grace",
  "listen",
  "listen-anywhere",
  "metrics-file",
  "heartbeat-url",
  "log-level",
  "log-format",
  "verbose",
] as const;
