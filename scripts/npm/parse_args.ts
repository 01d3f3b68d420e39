/** The part of `@std/cli/parse-args` that the project uses, over Node's own parser. */
import { parseArgs as parse } from "node:util";

/** Options for {@linkcode parseArgs}. */
export interface ParseOptions<
  S extends string = string,
  B extends string = string,
  C extends string = string,
> {
  /** Options with a value; `_` keeps positionals from becoming numbers. */
  string?: readonly S[];
  /** Options without a value, false when not given. */
  boolean?: readonly B[];
  /** Those of the options with a value that may be repeated: an array, empty when not given. */
  collect?: readonly C[];
  /** The one-letter names of options. */
  alias?: Readonly<Record<string, string>>;
  /** Called with each positional, and with each undeclared option and its name; false drops it. */
  unknown?: (argument: string, name?: string) => unknown;
}

/** The options by name, and the positionals. */
export type Args<S extends string, B extends string, C extends string> =
  & Record<string, unknown>
  & { _: string[] }
  & { [K in Exclude<S, C | "_">]?: string }
  & { [K in C]: string[] }
  & { [K in B]: boolean };

/** Parses command line arguments as `options` declare them. */
export function parseArgs<
  const S extends string = never,
  const B extends string = never,
  const C extends string = never,
>(args: readonly string[], options: ParseOptions<S, B, C> = {}): Args<S, B, C> {
  const { alias = {}, unknown = () => true } = options;
  const strings: readonly string[] = options.string ?? [];
  const booleans: readonly string[] = options.boolean ?? [];
  const collected: readonly string[] = options.collect ?? [];
  const declare = (type: "string" | "boolean") => (name: string) =>
    [name, { type, ...alias[name] && { short: alias[name] } }] as const;
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const { tokens } = parse({
    args: args.map((arg, i) => {
      const takesNext = i < end && arg.startsWith("--") &&
        strings.includes(arg.slice(2));
      // An argument that begins with a dash, or is empty, is not a value.
      return takesNext && /^(-|$)/.test(args[i + 1] ?? "") ? `${arg}=` : arg;
    }),
    options: Object.fromEntries([
      ...strings.map(declare("string")),
      ...booleans.map(declare("boolean")),
    ]),
    strict: false,
    tokens: true,
  });
  const result: Record<string, unknown> = {
    ...Object.fromEntries(booleans.map((name) => [name, false])),
    ...Object.fromEntries(collected.map((name) => [name, []])),
  };
  const positionals: string[] = [];
  let isOver = false;
  for (const token of tokens) {
    if (token.kind === "option-terminator") isOver = true;
    else if (token.kind === "positional") {
      if (isOver || unknown(token.value) !== false) {
        positionals.push(token.value);
      }
    } else if (collected.includes(token.name)) {
      (result[token.name] as string[]).push(token.value ?? "");
    } else if (strings.includes(token.name)) {
      result[token.name] = token.value ?? "";
    } else if (
      booleans.includes(token.name) ||
      unknown(args[token.index]!, token.name) !== false
    ) result[token.name] = token.value !== "false";
  }
  return { ...result, _: positionals } as Args<S, B, C>;
}
