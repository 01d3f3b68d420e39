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

/**
 * Takes the place of the dashes' meaning in a name that begins with `no-`: minimist takes every
 * `--no-NAME` for a negation. No argument can contain it, so that it is safe to take off again.
 */
const PLAIN = "\0";
const plain = (name: string) => name.startsWith("no-") ? PLAIN + name : name;

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
  const { stopEarly = false, unknown = () => true } = options;
  const alias: Record<string, string[]> = {};
  for (const [name, others] of Object.entries(options.alias ?? {})) {
    const all = [name, ...[others].flat()];
    for (const one of all) alias[one] = all.filter((other) => other !== one);
  }
  const known = (names: readonly string[] = []) =>
    new Set(names.flatMap((name) => [name, ...alias[name] ?? []]));
  const strings = known(options.string);
  const booleans = known(options.boolean);
  const collected = known(options.collect);
  const negatable = known(options.negatable);
  const declared = new Set([
    ...strings,
    ...booleans,
    ...collected,
    ...Object.keys(alias),
  ]);

  /** Spells an argument so that minimist takes it as it is meant. */
  function spell(arg: string, next: string | undefined): string {
    if (!arg.startsWith("--")) return arg;
    const [, negated, value] = arg.match(/^--no-(.+?)(?:=(.*))?$/s) ?? [];
    if (value !== undefined) return `--${negated}=${value}`;
    if (negated !== undefined && negatable.has(negated)) return arg;
    const name = arg.slice(2);
    const isEmpty = strings.has(name) && (next === "" || next === "-");
    return `--${plain(name)}${isEmpty ? "=" : ""}`;
  }
  function isKept(spelled: string): boolean {
    const arg = spelled.replace(PLAIN, "");
    if (!/^-./.test(arg)) return unknown(arg) !== false;
    const name = arg.match(/^--([^=]+)/)?.[1] ??
      [...arg.slice(1)].find((letter) => !declared.has(letter));
    return (name !== undefined && collected.has(name)) ||
      unknown(arg, name) !== false;
  }

  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const own = args.slice(0, end);
  const rest = args.slice(end + 1);
  const { _: found, ...parsed } = minimist(
    own.map((arg, i) => spell(arg, own[i + 1])),
    {
      string: ["_", ...strings].map(plain),
      boolean: [...booleans].map(plain),
      alias: Object.fromEntries(
        Object.entries(alias).map((
          [name, others],
        ) => [plain(name), others.map(plain)]),
      ),
      default: Object.fromEntries(
        [...booleans].map((name) => [plain(name), null]),
      ),
      stopEarly,
      unknown: isKept,
    },
  );
  // After an early stop the arguments are the caller's, in the caller's spelling.
  const unparsed = stopEarly && found.length > 0
    ? own.slice(own.length - found.length + 1)
    : [];
  const positionals = unparsed.length > 0 ? found.slice(0, 1) : found;
  const result: Record<string, unknown> = {
    _: [
      ...positionals.map((arg) => strings.has("_") ? arg : numberOr(arg)),
      ...unparsed,
    ],
  };
  for (const [name, value] of Object.entries(parsed)) {
    if (value !== null) {
      const own = name.replace(PLAIN, "");
      result[own] = settle(value, collected.has(own));
    }
  }
  for (const [name, value] of Object.entries(options.default ?? {})) {
    for (const one of known([name])) result[one] ??= value;
  }
  for (const name of booleans) result[name] ??= false;
  for (const name of strings) if (collected.has(name)) result[name] ??= [];
  if (options["--"]) result["--"] = rest;
  else (result._ as unknown[]).push(...rest);
  return result as Args<S, B, C, N, D>;
}

/** minimist collects whatever is repeated; a negation forgets what came before it. */
function settle(value: unknown, isCollected: boolean): unknown {
  const values = Array.isArray(value) ? value : [value];
  if (!isCollected) return values.at(-1);
  const since = values.slice(values.lastIndexOf(false) + 1);
  return since.length > 0 ? since : false;
}

function numberOr(text: string): string | number {
  return text.trim() !== "" && Number.isFinite(Number(text))
    ? Number(text)
    : text;
}
