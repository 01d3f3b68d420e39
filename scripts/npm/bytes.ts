/** The part of `@std/fmt/bytes` that the project uses, over pretty-bytes. */
export { default as format } from "pretty-bytes";
