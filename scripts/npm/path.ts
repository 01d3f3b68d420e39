/** The part of `@std/path` that the project uses, over Node's own. */
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
