/** The part of `@std/fmt/duration` that the project uses, over parse-ms. */
import parseMs from "parse-ms";

/** Writes a number of milliseconds for people, without units that are zero: `1m 5s`. */
export function format(ms: number, _options: { ignoreZero: true }): string {
  const { days, hours, minutes, seconds, milliseconds } = parseMs(ms);
  const units = { d: days, h: hours, m: minutes, s: seconds, ms: milliseconds };
  return Object.entries(units)
    .filter(([, value]) => value !== 0)
    .map(([unit, value]) => `${value}${unit}`)
    .join(" ");
}
