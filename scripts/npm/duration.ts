/** What the project uses of `@std/fmt/duration`, over parse-ms. */
import parseMs from "parse-ms";

/** Options for {@linkcode format}. */
export interface FormatOptions {
  /** Leaves out units whose value is zero. @default {false} */
  ignoreZero?: boolean;
}

/** Writes a duration given in milliseconds for people: `1m 5s` with `ignoreZero`. */
export function format(ms: number, options: FormatOptions = {}): string {
  const wholeMs = Math.trunc(Math.abs(ms));
  // As a bigint, because parse-ms loses the last digits of a hundred days otherwise.
  const whole = parseMs(BigInt(wholeMs));
  const fraction = parseMs(Math.abs(ms) - wholeMs);
  const units = {
    d: whole.days,
    h: whole.hours,
    m: whole.minutes,
    s: whole.seconds,
    ms: whole.milliseconds,
    µs: fraction.microseconds,
    ns: fraction.nanoseconds,
  };
  return Object.entries(units)
    .filter(([, value]) => Number(value) !== 0 || !options.ignoreZero)
    .map(([unit, value]) => `${value}${unit}`)
    .join(" ");
}
