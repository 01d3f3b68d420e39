/**
 * What the project uses of `@std/cli/parse-args`, over minimist.
 *
 * Every option is declared as a string or a boolean, and none is both boolean and collected.
 */
// @ts-types="@types/minimist"
import minimist from "minimist";

/** What {@linkcode parseArgs} does with the arguments. */
export interface ParseOptions<
  S extends string = string,
  B extends string = string,
  C extends string = string,
  N extends string = string,
  D extends object = object,
> {
  /** Options with a value; `_` keeps positionals from becoming numbers. */
  string?: readonly S[];
  /** Options without a value, false when not given. */
  boolean?: readonly B[];
  /** Options that may be given several times: an array, empty when not given. */
  collect?: readonly C[];
  /** Options that `--no-NAME` sets to false. */
  negatable?: readonly N[];
  /** Other names of an option. */
  alias?: Readonly<Record<string, string | readonly string[]>>;
  /** Values of options that are not given. */
  default?: D;
  /** Whether the first positional ends the options. @default {false} */
  stopEarly?: boolean;
  /** Whether what follows `--` is kept apart from the positionals. @default {false} */
  "--"?: boolean;
  /** Called with each positional, and with each undeclared option and its name; false drops it. */
  unknown?: (argument: string, name?: string) => unknown;
}

type Value<K, S, C, N> =
  | (K extends S ? (K extends C ? string[] : string) : boolean)
  | (K extends N ? false : never);

/** The options by name, and the positionals. */
export type Args<
  S extends string,
  B extends string,
  C extends string,
  N extends string,
  D,
> =
  & Record<string, unknown>
  & { _: Array<string | number>; "--"?: string[] }
  & (string extends S | B ? unknown
    :
      & { [K in Exclude<S, C | keyof D | "_">]?: Value<K, S, C, N> }
      & { [K in Exclude<(S & C) | B, keyof D>]: Value<K, S, C, N> }
      & { [K in keyof D]: D[K] | Value<K, S, C, N> });

/** Parses command line arguments as `options` declare them. */
export function parseArgs<
  const S extends string = never,
  const B extends string = never,
  const C extends string = never,
  const N extends string = never,
  const D extends object = Record<never, never>,
>(
  args: readonly string[],
  options: ParseOptions<S, B, C, N, D> = {},
): Args<S, B, C, N, D> {
  const names = new Names(options);
  const { strings, booleans, collected } = names;
  const stopEarly = options.stopEarly ?? false;
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const own = args.slice(0, end);
  const rest = args.slice(end + 1);

  const spelling = new Spelling(names);
  const { unknown = () => true } = options;
  const { _: found, ...parsed } = minimist(spelling.spellAll(own), {
    string: ["_", ...strings].map(plain),
    boolean: [...booleans].map(plain),
    alias: names.plainAliases(),
    default: Object.fromEntries(
      [...booleans].map((name) => [plain(name), null]),
    ),
    stopEarly,
    unknown: (arg) => {
      if (!/^-./.test(arg)) return unknown(arg) !== false;
      const { original, name } = spelling.recognize(arg);
      return collected.has(name) || unknown(original, name) !== false;
    },
  });

  const isDone = stopEarly && found.length > 0;
  // After an early stop the arguments stay as the caller spelled them.
  const untouched = isDone ? own.slice(own.length - found.length + 1) : [];
  const positionals = (isDone ? found.slice(0, 1) : found)
    .map((arg) => strings.has("_") ? arg : numberOr(arg));
  const result: Record<string, unknown> = {};
  for (const [spelled, value] of Object.entries(parsed)) {
    const name = spelled.replace(PLAIN, "");
    if (value !== null) result[name] = settle(value, collected.has(name));
  }
  for (const [name, value] of Object.entries(options.default ?? {})) {
    for (const one of names.all([name])) result[one] ??= value;
  }
  for (const name of booleans) result[name] ??= false;
  for (const name of strings) if (collected.has(name)) result[name] ??= [];
  result._ = [...positionals, ...untouched, ...(options["--"] ? [] : rest)];
  if (options["--"]) result["--"] = rest;
  return result as Args<S, B, C, N, D>;
}

/**
 * Goes before a name that begins with `no-`, because minimist takes every `--no-NAME` for a
 * negation. No argument can contain it, so that it is safe to take off again.
 */
const PLAIN = "\0";

function plain(name: string): string {
  return name.startsWith("no-") ? PLAIN + name : name;
}

/** What is declared, other names included. */
class Names {
  readonly #aliases: Record<string, string[]> = {};
  readonly strings: Set<string>;
  readonly booleans: Set<string>;
  readonly collected: Set<string | undefined>;
  readonly negatable: Set<string>;

  constructor(options: ParseOptions) {
    for (const [name, others] of Object.entries(options.alias ?? {})) {
      const same = [name, ...[others].flat()];
      for (const one of same) {
        this.#aliases[one] = same.filter((other) => other !== one);
      }
    }
    this.strings = this.all(options.string);
    this.booleans = this.all(options.boolean);
    this.collected = this.all(options.collect);
    this.negatable = this.all(options.negatable);
  }

  all(names: readonly string[] = []): Set<string> {
    return new Set(
      names.flatMap((name) => [name, ...this.#aliases[name] ?? []]),
    );
  }

  isDeclared(name: string): boolean {
    return name in this.#aliases ||
      [this.strings, this.booleans, this.collected].some((set) =>
        set.has(name)
      );
  }

  plainAliases(): Record<string, string[]> {
    return Object.fromEntries(
      Object.entries(this.#aliases).map((
        [name, same],
      ) => [plain(name), same.map(plain)]),
    );
  }
}

/** Spells arguments so that minimist takes them as they are meant, and knows them again. */
class Spelling {
  readonly #names: Names;
  readonly #originals = new Map<string, string[]>();
  #cluster = "";
  #letters: string[] = [];

  constructor(names: Names) {
    this.#names = names;
  }

  spellAll(args: readonly string[]): string[] {
    return args.map((arg, i) => {
      const spelled = this.#spell(arg, args[i + 1]);
      this.#originals.set(spelled, [
        ...this.#originals.get(spelled) ?? [],
        arg,
      ]);
      return spelled;
    });
  }

  #spell(arg: string, next: string | undefined): string {
    if (!arg.startsWith("--")) return arg;
    const [, negated, value] = arg.match(/^--no-(.+?)(?:=(.*))?$/s) ?? [];
    if (value !== undefined) return `--${negated}=${value}`;
    if (negated && this.#names.negatable.has(negated)) return arg;
    const name = arg.slice(2);
    const takesNext = !name.includes("=") && !this.#names.booleans.has(name);
    // minimist would take an empty argument and a lone dash for the value.
    return `--${plain(name)}${takesNext && next?.match(/^(-|$)/) ? "=" : ""}`;
  }

  /** Tells how an undeclared option was spelled by the caller, and its name. */
  recognize(spelled: string): { original: string; name: string | undefined } {
    if (spelled.startsWith("--")) {
      const name = spelled.replace(PLAIN, "").match(/^--([^=]+)/)?.[1];
      return {
        original: this.#originals.get(spelled)?.shift() ?? spelled,
        name,
      };
    }
    // Several letters behind one dash come one by one.
    if (this.#cluster !== spelled || this.#letters.length === 0) {
      this.#cluster = spelled;
      this.#letters = [...spelled.match(/^-([a-z]+|.)/i)?.[1] ?? ""]
        .filter((letter) => !this.#names.isDeclared(letter));
    }
    return { original: spelled, name: this.#letters.shift() };
  }
}

/** minimist collects whatever is repeated; a negation forgets what came before it. */
function settle(value: unknown, isCollected: boolean): unknown {
  const values = Array.isArray(value) ? value : [value];
  if (!isCollected) return values.at(-1);
  const since = values.slice(values.lastIndexOf(false) + 1);
  return since.length > 0 ? since : false;
}

function numberOr(text: string): string | number {
  const isNumber = text.trim() !== "" && Number.isFinite(Number(text));
  return isNumber ? Number(text) : text;
}
