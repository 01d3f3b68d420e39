/** `@std/path/glob-to-regexp` over minimatch. */
import { makeRe } from "minimatch";

/** Options for {@linkcode globToRegExp}: both are always on. */
export interface GlobOptions {
  /** Braces and character classes. */
  extended?: boolean;
  /** Two stars for any number of folders. */
  globstar?: boolean;
}

/** Returns what matches the paths that a glob matches; a star matches a leading dot too. */
export function globToRegExp(glob: string, _options: GlobOptions = {}): RegExp {
  return makeRe(glob, { dot: true, nocomment: true, nonegate: true }) || /(?!)/;
}
