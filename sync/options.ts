/**
 * The options: how they are written, and how a command line is taken apart.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { DELIMITER } from "@std/path";

/** The command line or the environment cannot be used as it is. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** How one option is written and what it says of itself. */
export interface OptionSpec {
  /** The environment variable that stands in for it. */
  env?: string;
  /** What its value is called in the help; none for a switch. */
  value?: string;
  /** Whether it may be given several times. */
  repeatable?: boolean;
  help: string;
}

/** Every option there is; each command takes some of them. */
export const OPTIONS = {
  "server": {
    env: "JARVIS_SERVER_URL",
    value: "URL",
    help: "The capture server, like https://captures.example.org",
  },
  "data-dir": {
    env: "JARVIS_DATA_DIR",
    value: "DIR",
    help:
      "Where queue, lock and spool are (default: $XDG_DATA_HOME/jarvis, else ~/.local/share/jarvis)",
  },
  "token-file": {
    env: "JARVIS_TOKEN_FILE",
    value: "FILE",
    help:
      "File that holds the server's token (or the token itself in JARVIS_TOKEN)",
  },
  "allow-insecure": {
    env: "JARVIS_ALLOW_INSECURE",
    help:
      "Allow plain http:// to another machine, readable by everybody on the way",
  },
  "timeout": {
    env: "JARVIS_TIMEOUT",
    value: "SECONDS",
    help: "Longest time without progress in a request (default: 30)",
  },
  "concurrency": {
    env: "JARVIS_CONCURRENCY",
    value: "N",
    help: "How many captures are sent at a time, 1 to 64 (default: 4)",
  },
  "watch": {
    env: "JARVIS_WATCH",
    value: "DIR",
    repeatable: true,
    help: "Deliver every finished file of this folder; may be repeated",
  },
  "settle": {
    env: "JARVIS_SETTLE",
    value: "SECONDS",
    help:
      "How long a watched file must be unchanged to count as finished (default: 2)",
  },
  "after-upload": {
    env: "JARVIS_AFTER_UPLOAD",
    value: "keep|delete|move:DIR",
    help: "What becomes of a watched file once it is delivered (default: keep)",
  },
  "grace": {
    env: "JARVIS_GRACE",
    value: "SECONDS",
    help:
      "How long uploads in flight may go on when told to stop (default: 10)",
  },
  "changed": {
    env: "JARVIS_CHANGED",
    value: "send|refuse",
    help:
      "A file that was changed after it was handed over: send it as it is now, or refuse it (default: send)",
  },
  "max-spool-bytes": {
    env: "JARVIS_MAX_SPOOL_BYTES",
    value: "BYTES",
    help: "The most that the spool may hold, like 20G (default: no limit)",
  },
  "min-free-bytes": {
    env: "JARVIS_MIN_FREE_BYTES",
    value: "BYTES",
    help: "What the disk must have left to take a capture (default: 256M)",
  },
  "no-copy": {
    help: "Keep no copy: the file must stay where it is until it is delivered",
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
  "status": {
    value: "STATUS",
    help: "Only captures that are pending, uploading or failed",
  },
  "limit": { value: "N", help: "At most so many (default: 100)" },
  "days": { value: "N", help: "Older than so many days (default: 7)" },
  "failed": { help: "Every capture that failed" },
  "all": { help: "Every capture that failed or waits" },
  "json": { help: "Print JSON" },
  "verbose": { env: "JARVIS_VERBOSE", help: "Log every delivery" },
} as const satisfies Record<string, OptionSpec>;

/** The name of an option, without its dashes. */
export type OptionName = keyof typeof OPTIONS;

/** What was given for the options of one command, by the command line or the environment. */
export class Given {
  readonly #values: Map<OptionName, { source: string; texts: string[] }>;

  constructor(values: Map<OptionName, { source: string; texts: string[] }>) {
    this.#values = values;
  }

  /** Whether a switch is on. */
  has(name: OptionName): boolean {
    const text = this.text(name);
    return text !== undefined && !["", "0", "false", "no"].includes(text);
  }

  /** The last value, if there is one. */
  text(name: OptionName): string | undefined {
    return this.#values.get(name)?.texts.at(-1);
  }

  /** All values. */
  texts(name: OptionName): string[] {
    return this.#values.get(name)?.texts ?? [];
  }

  /** The value of a number from `min` to `max`, or `standard` if none was given. */
  number(
    name: OptionName,
    standard: number,
    range: { min: number; max: number; whole?: boolean },
  ): number {
    const text = this.text(name);
    if (text === undefined) return standard;
    const { min, max, whole = false } = range;
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) {
      return value;
    }
    const kind = whole ? "a whole number" : "a number";
    throw this.wrong(name, `${kind} from ${min} to ${max}`);
  }

  /** The value of a number of bytes like `512`, `100K`, `20M` or `4G`. */
  bytes(name: OptionName, standard: number): number {
    const text = this.text(name);
    if (text === undefined) return standard;
    const [, digits, unit = ""] = /^(\d{1,15})([KMGT]?)i?B?$/i.exec(text) ?? [];
    if (digits === undefined) {
      throw this.wrong(name, "a number of bytes like 512, 100K, 20M or 4G");
    }
    return Number(digits) * 1024 ** " KMGT".indexOf(unit.toUpperCase() || " ");
  }

  /** An error that names the option, or the variable, its value, and what was expected. */
  wrong(name: OptionName, expected: string): UsageError {
    const { source, texts } = this.#values.get(name)!;
    return new UsageError(
      `Cannot use ${source} "${texts.at(-1)}": expected ${expected}`,
    );
  }
}

/** A command line, taken apart. */
export interface ParsedArgs {
  given: Given;
  positionals: string[];
  help: boolean;
}

/**
 * Takes a command line apart, and fills in what only the environment says.
 *
 * @throws {UsageError} on an option that is not one of `names`, or lacks its value.
 */
export function parseCommandLine(
  args: string[],
  names: readonly OptionName[],
  env: (name: string) => string | undefined,
): ParsedArgs {
  const specs = names.map((name) =>
    [name, OPTIONS[name] as OptionSpec] as const
  );
  const valued = specs.filter(([, spec]) => spec.value).map(([name]) => name);
  const parsed = parseArgs(args, {
    string: [...valued, "_"],
    boolean: [
      ...specs.filter(([, spec]) => !spec.value).map(([name]) => name),
      "help",
    ],
    collect: valued,
    alias: { help: "h" },
    unknown: (arg) => {
      if (!arg.startsWith("-") || arg === "-") return true;
      throw unknownOption(arg, names);
    },
  }) as Record<string, unknown>;
  const values = new Map<OptionName, { source: string; texts: string[] }>();
  for (const [name, spec] of specs) {
    const found = parsed[name];
    if (found === true) {
      values.set(name, { source: `--${name}`, texts: ["true"] });
    } else if (Array.isArray(found) && found.length > 0) {
      if (found.includes("")) {
        throw new UsageError(
          `Cannot use --${name} without a value: expected ${spec.value}`,
        );
      }
      values.set(name, { source: `--${name}`, texts: found.map(String) });
    } else {
      const text = spec.env && env(spec.env);
      if (!text) continue;
      const texts = spec.repeatable
        ? text.split(DELIMITER).filter(Boolean)
        : [text];
      values.set(name, { source: spec.env!, texts });
    }
  }
  return {
    given: new Given(values),
    positionals: (parsed._ as unknown[]).map(String),
    help: parsed.help === true,
  };
}

function unknownOption(arg: string, names: readonly string[]): UsageError {
  const name = arg.replace(/^-+/, "").replace(/=.*$/s, "");
  if (name === "token") {
    return new UsageError(
      "Cannot take a token as an argument, where every user of this machine sees it: " +
        "expected --token-file FILE, or JARVIS_TOKEN",
    );
  }
  const near = closest(name, names);
  const hint = near ? `; did you mean --${near}?` : "";
  return new UsageError(`Unknown option "--${name}"${hint}`);
}

/** Returns the word that differs from `word` by at most two letters, if any. */
export function closest(
  word: string,
  words: readonly string[],
): string | undefined {
  const ranked = words.map((other) => [distance(word, other), other] as const)
    .sort(([a], [b]) => a - b);
  const [best] = ranked;
  return best && best[0] <= 2 ? best[1] : undefined;
}

/** How many letters to insert, delete or replace to turn one word into the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + Number(a[i - 1] !== b[j - 1]);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, replaced));
    }
    row = next;
  }
  return row[b.length]!;
}
