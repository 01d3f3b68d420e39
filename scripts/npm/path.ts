/** The part of `@std/path` that the project uses, over Node's own and minimatch. */
import { makeRe } from "minimatch";

export {
  basename,
  delimiter as DELIMITER,
  dirname,
  extname,
  isAbsolute,
  join,
  normalize,
  parse,
  relative,
  resolve,
  sep as SEPARATOR,
} from "node:path";
export {
  fileURLToPath as fromFileUrl,
  pathToFileURL as toFileUrl,
} from "node:url";

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
