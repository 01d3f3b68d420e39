import { format } from "@std/fmt/duration";

/** Returns a duration in words, to the second, at least one: `3h 5m 10s`. */
export function durationText(ms: number): string {
  const seconds = Math.max(Math.round(ms / 1000), 1);
  return format(seconds * 1000, { ignoreZero: true });
}
