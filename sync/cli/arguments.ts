import { resolve } from "@std/path";
import { either } from "./closest.ts";
import {
  type OptionName,
  type PathName,
  shownValue,
  specOf,
  type StandardName,
} from "./settings/options.ts";
import { expectedPath } from "./settings/path_value.ts";
import { parseBytes, parseDuration } from "./settings/quantities.ts";

/** The command line or the environment cannot be used as it is. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The sources of settings besides the command line. */
export interface Ambient {
  /** Returns a variable of the environment. */
  env: (name: string) => string | undefined;
  /** Writes one line to standard error. */
  err: (line: string) => void;
}

/** The values of one option, and their source: `--NAME` or a variable. */
export interface OptionValue {
  source: string;
  texts: string[];
}

/** The times that an option takes. */
interface DurationRange {
  min: string;
  max: string;
  /** The unit of a bare number, by default seconds. */
  unit?: "s" | "d";
  /** An alternative, for the message. */
  or?: string;
}

const YES = ["true", "yes", "on", "1"];
const NO = ["false", "no", "off", "0"];

/** The values of one command's options, from the command line or the environment. */
export class OptionValues {
  readonly #names: readonly OptionName[];
  readonly #values: ReadonlyMap<OptionName, OptionValue>;

  /** @param names The options that the command takes. */
  constructor(
    names: readonly OptionName[],
    values: ReadonlyMap<OptionName, OptionValue>,
  ) {
    this.#names = names;
    this.#values = values;
  }

  /** The same, with these values for options that were not given. */
  withDefaults(values: ReadonlyMap<OptionName, OptionValue>): OptionValues {
    const taken = [...values].filter(([name]) => this.takes(name));
    return new OptionValues(this.#names, new Map([...taken, ...this.#values]));
  }

  /** The same, as if this option had not been given. */
  without(name: OptionName): OptionValues {
    const others = [...this.#values].filter(([other]) => other !== name);
    return new OptionValues(this.#names, new Map(others));
  }

  /** The names of the given options. */
  names(): OptionName[] {
    return [...this.#values.keys()];
  }

  /** The same, with the options of the command line alone. */
  onCommandLine(): OptionValues {
    const values = [...this.#values]
      .filter(([name, { source }]) => source === `--${name}`);
    return new OptionValues(this.#names, new Map(values));
  }

  /** @throws {UsageError} if more than one of these options was given. */
  atMostOne(...names: OptionName[]): void {
    const [one, other] = names.filter((name) => this.#isGiven(name));
    if (one === undefined || other === undefined) return;
    throw new UsageError(
      `Cannot use ${this.source(one)} and ${
        this.source(other)
      } at once: expected one of them`,
    );
  }

  /** @throws {UsageError} if the first option was given without the other one. */
  needs(one: OptionName, other: OptionName): void {
    if (!this.#isGiven(one) || this.#isGiven(other)) return;
    throw new UsageError(
      `Cannot use ${this.source(one)} alone: expected --${other} with it`,
    );
  }

  /** Whether an option has a value, or a switch is on. */
  #isGiven(name: OptionName): boolean {
    return this.#values.has(name) &&
      (specOf(name).value !== undefined || this.has(name));
  }

  /** Whether the command takes the option at all. */
  takes(name: OptionName): boolean {
    return this.#names.includes(name);
  }

  /**
   * Whether a switch is on.
   *
   * @throws {UsageError} if its value is neither yes nor no.
   */
  has(name: OptionName): boolean {
    const text = this.text(name)?.toLowerCase();
    if (text === undefined || NO.includes(text)) return false;
    if (YES.includes(text)) return true;
    throw this.wrong(name, "true or false");
  }

  /** The last value, if there is one. */
  text(name: OptionName): string | undefined {
    return this.#values.get(name)?.texts.at(-1);
  }

  /** The last value, else the default, if there is one. */
  value(name: StandardName): string;
  value(name: OptionName): string | undefined;
  value(name: OptionName) {
    return this.text(name) ?? specOf(name).standard;
  }

  /** All values. */
  texts(name: OptionName): string[] {
    return this.#values.get(name)?.texts ?? [];
  }

  /**
   * The value of a path, absolute.
   *
   * @param text Which of several values, or the path in one that is `shown`; by default
   * the last.
   * @throws {UsageError} if it is none that every program would understand the same way.
   */
  path(name: OptionName, text: string, shown?: string): string;
  path(name: PathName): string | undefined;
  path(name: OptionName, text = this.text(name), shown = text) {
    if (text === undefined) return undefined;
    const typed = this.source(name) === `--${name}`;
    const expected = expectedPath(text, { typed });
    if (expected === undefined) return resolve(text);
    throw this.wrong(name, expected, shown);
  }

  /**
   * The value of a whole number from `min` to `max`.
   *
   * @throws {UsageError} if it is anything else.
   */
  number(
    name: StandardName,
    { min, max }: { min: number; max: number },
  ): number {
    const text = this.value(name);
    const value = /^\d+(\.0+)?$/.test(text) ? Number(text) : NaN;
    if (value >= min && value <= max) return value;
    throw this.wrong(name, `a whole number from ${min} to ${max}`);
  }

  /**
   * The value of a time in milliseconds. It is written as people write times: `30`,
   * `5m`, `1h30m`, `90d`.
   *
   * @throws {UsageError} if it is anything else, or out of the range.
   */
  durationMs(name: StandardName, range: DurationRange): number;
  durationMs(name: OptionName, range: DurationRange): number | undefined;
  durationMs(
    name: OptionName,
    { min, max, unit = "s", or = "" }: DurationRange,
  ) {
    const text = this.value(name);
    if (text === undefined) return undefined;
    const valueMs = parseDuration(text, unit);
    if (
      valueMs >= parseDuration(min, unit) && valueMs <= parseDuration(max, unit)
    ) return valueMs;
    const bare = unit === "s" ? "seconds" : "days";
    throw this.wrong(
      name,
      `a time from ${min} to ${max}, in ${bare} or like 5m, 1.5h or 7d${or}`,
    );
  }

  /**
   * The value of a number of bytes like `512`, `100K`, `20M` or `1.5G`.
   *
   * @throws {UsageError} if it is anything else.
   */
  bytes(name: StandardName): number;
  bytes(name: OptionName): number | undefined;
  bytes(name: OptionName) {
    const text = this.value(name);
    if (text === undefined) return undefined;
    const value = parseBytes(text);
    if (!Number.isNaN(value)) return value;
    throw this.wrong(name, "a number of bytes like 512, 100K, 20M or 1.5G");
  }

  /**
   * One of these words.
   *
   * @throws {UsageError} if it is anything else.
   */
  oneOf<T extends string>(name: OptionName, words: readonly [T, ...T[]]): T {
    const text = this.value(name);
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw this.wrong(name, either(words));
  }

  /** The source of an option: `--NAME`, or a variable and the file that it is in. */
  source(name: OptionName): string {
    return this.#values.get(name)?.source ?? "default";
  }

  /**
   * An error that names the given option, or the variable, its value, and the
   * expected one.
   *
   * @param value The one of several values; by default the last.
   */
  wrong(
    name: OptionName,
    expected: string,
    value = this.text(name) ?? "",
  ): UsageError {
    const shown = shownValue(name, value);
    return new UsageError(
      `Cannot use ${this.source(name)} "${shown}": expected ${expected}`,
    );
  }
}
