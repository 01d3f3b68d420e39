import { format } from "@std/fmt/duration";

/** Says to the second how long something lasts, at least one: `3h 5m 10s`. */
export function durationText(ms: number): string {
  const seconds = Math.max(Math.round(ms / 1000), 1);
  return format(seconds * 1000, { ignoreZero: true });
}
