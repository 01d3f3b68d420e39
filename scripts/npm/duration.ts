/** What the project uses of `@std/fmt/duration`, over parse-ms. */
import parseMs from "parse-ms";

/** Options for {@linkcode format}. */
export interface FormatOptions {
  /** Leaves out units whose value is zero. @default {false} */
  ignoreZero?: boolean;
}

/** Writes a duration given in milliseconds for people: `1m 5s` with `ignoreZero`. */
export function format(ms: number, options: FormatOptions = {}): string {
  const {
    days,
    hours,
    minutes,
    seconds,
    milliseconds,
    microseconds,
    nanoseconds,
  } = parseMs(
    Math.abs(ms),
  );
  const units = {
    d: days,
    h: hours,
    m: minutes,
    s: seconds,
    ms: milliseconds,
    "µs": microseconds,
    ns: nanoseconds,
  };
  return Object.entries(units)
    .filter(([, value]) => value !== 0 || !options.ignoreZero)
    .map(([unit, value]) => `${value}${unit}`)
    .join(" ");
}
