import { isAbsolute } from "@std/path";

/** A beginning that a shell or a service manager replaces, and nothing here. */
const PLACEHOLDER = /^(?:~|\$\w+|\$\{\w+\}|%\w|%\w+%)(?=[\\/]|$)/;

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
  if (placeholder === undefined) {
    if (typed || isAbsolute(path)) return undefined;
    return "an absolute path, as a relative one is another in each working directory";
  }
  return typed
    ? `a path without "${placeholder}", which the shell has not replaced`
    : `an absolute path, and nothing replaces "${placeholder}" there`;
}
