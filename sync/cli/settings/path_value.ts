import { isAbsolute } from "@std/path";
import { tryTo } from "../../host/try_to.ts";

/** A beginning that a shell or a service manager replaces, and nothing here. */
const PLACEHOLDER = /^(?:~|\$\w+|\$\{\w+\}|%\w|%\w+%)(?=[\\/]|$)/;

/** Control characters as people know them. */
const NAMES: Record<string, string> = {
  "\t": "a tab",
  "\n": "a line break",
  "\r": "a carriage return",
};

/**
 * Returns what was expected in the place of a path that cannot be used; `undefined` if it
 * can be.
 *
 * @param options `typed`: it is from the command line, whose working directory the person
 * knows. What a variable or a file says holds for programs with other ones.
 */
export function expectedPath(
  path: string,
  { typed }: { typed: boolean },
): string | undefined {
  const [placeholder] = PLACEHOLDER.exec(path) ?? [];
  const [control] = /\p{Cc}/u.exec(path) ?? [];
  // It came along by mistake, unless something really has this name.
  if (control !== undefined && !tryTo(() => Deno.lstatSync(path))) {
    return `a path without a control character: ${
      nameOf(control)
    } is in it, and there is nothing of that name`;
  }
  if (placeholder === undefined) {
    if (typed || isAbsolute(path)) return undefined;
    return "an absolute path, as a relative one is another in each working directory";
  }
  return typed
    ? `a path without "${placeholder}", which the shell has not replaced`
    : `an absolute path, and nothing replaces "${placeholder}" there`;
}

function nameOf(control: string): string {
  const code = control.charCodeAt(0).toString(16).toUpperCase();
  return NAMES[control] ?? `U+${code.padStart(4, "0")}`;
}
