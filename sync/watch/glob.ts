import { basename, SEPARATOR } from "@std/path";

const MAX_LENGTH = 1_000;
const MAX_ALTERNATIVES = 100;
/** The start of a group of patterns in other programs. */
const GROUP = /[!@+]\(/;
/** Braces with no others in them. */
const BRACES = /(?<![\\[])\{([^{}]*,[^{}]*)\}/;
const TOKEN =
  /(?<stars>\*+)|(?<one>\?)|\[(?<not>[!^]?)(?<set>\]?[^\]]*)\]|\\?(?<literal>.)/gsu;

/**
 * A pattern for names and paths: `*` stands for anything without a slash, `**`
 * between slashes for any folders, `?` for one character, `[a-z]` and `[!a-z]`
 * for one of these or none of them, `{a,b}` for either; `\` takes its meaning
 * from the character after it.
 *
 * How long it takes grows with the lengths of glob and name, and with nothing
 * else: whoever names a file could otherwise keep the agent busy for ever.
 */
export class Glob {
  readonly text: string;
  readonly #hasPath: boolean;
  readonly #patterns: RegExp[];

  /** @throws {Error} if it cannot be read, or is too long. */
  constructor(text: string) {
    if (text.length > MAX_LENGTH || GROUP.test(text)) {
      throw new Error(
        `Cannot read a glob: expected *, **, ?, [abc] or {a,b}, and at most ${MAX_LENGTH} characters`,
      );
    }
    this.text = text;
    this.#hasPath = text.includes("/");
    this.#patterns = alternatives(text).map(toRegExp);
  }

  /** Whether a path, or its last name if the glob has no slash, is matched. */
  matches(path: string): boolean {
    const name = this.#hasPath ? path : basename(path);
    const subject = name.replaceAll(SEPARATOR, "/").replace(/^\//, "");
    return this.#patterns.some((pattern) => pattern.test(subject));
  }
}

/** Returns the globs without braces that a glob stands for. */
function alternatives(glob: string): string[] {
  let globs = [glob];
  while (globs.some((text) => BRACES.test(text))) {
    globs = globs.flatMap((text) => {
      const inside = BRACES.exec(text)?.[1];
      if (inside === undefined) return [text];
      return inside.split(",").map((part) => text.replace(BRACES, () => part));
    });
    if (globs.length > MAX_ALTERNATIVES) {
      throw new Error(
        `Cannot read a glob: expected at most ${MAX_ALTERNATIVES} alternatives`,
      );
    }
  }
  return globs;
}

/**
 * Every piece between two stars is an atomic group, which JavaScript lacks: a
 * lookahead does not backtrack, so `(?=(?<g0>…))\k<g0>` takes its first match or none.
 *
 * ```text
 *   a*b*.png  →  ^a(?=(?<g0>[^/]*?b))\k<g0>[^/]*\.png$
 * ```
 */
function toRegExp(glob: string): RegExp {
  let groups = 0;
  const atomic = (source: string) => {
    const name = `g${groups++}`;
    return `(?=(?<${name}>${source}))\\k<${name}>`;
  };
  const runs: string[][] = [[]];
  for (const name of glob.split("/")) {
    if (name === "**") runs.push([]);
    else if (name !== "" && name !== ".") {
      runs.at(-1)!.push(nameSource(name, atomic));
    }
  }
  const [first, ...rest] = runs.map((names) => names.join("/"));
  if (rest.length === 0) return new RegExp(`^${first}$`, "su");
  const last = rest.pop();
  const between = rest.filter((run) => run !== "")
    .map((run) => atomic(`(?:[^/]*/)*?${run}/`));
  const end = last ? `(?:[^/]*/)*${last}` : ".+";
  return new RegExp(`^${first && `${first}/`}${between.join("")}${end}$`, "su");
}

function nameSource(
  name: string,
  atomic: (source: string) => string,
): string {
  const pieces = [""];
  for (const { groups = {} } of name.matchAll(TOKEN)) {
    if (groups.stars) pieces.push("");
    else pieces[pieces.length - 1] += characterSource(groups);
  }
  const [first = "", ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return first;
  const between = rest.map((piece) => atomic(`[^/]*?${piece}`));
  return `${first}${between.join("")}[^/]*${last}`;
}

function characterSource(
  { one, not, set, literal }: Record<string, string | undefined>,
): string {
  if (one) return "[^/]";
  if (literal) return literal.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&");
  const inside = set!.replace(/[\\\]^]/g, "\\$&");
  return not ? `[^/${inside}]` : `[${inside}]`;
}
