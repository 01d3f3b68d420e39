/** What the project uses of `@std/fmt/bytes`, over pretty-bytes. */
import prettyBytes from "pretty-bytes";

/** Options for {@linkcode format}. */
export interface FormatOptions {
  /** Powers of 1024 instead of 1000. @default {false} */
  binary?: boolean;
  /** The least number of digits after the point. */
  minimumFractionDigits?: number;
  /** The greatest number of digits after the point. */
  maximumFractionDigits?: number;
}

/** Writes a number of bytes for people: `1.34 kB`. */
export function format(bytes: number, options: FormatOptions = {}): string {
  return prettyBytes(bytes, options);
}
