/** What the project uses of `@std/fmt/bytes`, over pretty-bytes. */
export { default as format } from "pretty-bytes";
