import { format as formatBytes } from "@std/fmt/bytes";
import { format as formatDuration } from "@std/fmt/duration";
import { oneLine } from "../host/log.ts";

/** Lines whose columns stand below each other. */
export function alignedLines(rows: string[][]): string[] {
  const shown = rows.map((row) => row.map(oneLine));
  const widths = (shown[0] ?? []).map((_, column) =>
    shown.reduce((most, row) => Math.max(most, row[column]!.length), 0)
  );
  return shown.map((row) =>
    row.map((text, column) => text.padEnd(widths[column]!)).join("  ").trimEnd()
  );
}

/** A time span in its two largest units: `3h 5m`. */
export function span(ms: number): string {
  const whole = Math.max(Math.floor(ms / 1000), 1) * 1000;
  return formatDuration(whole, { ignoreZero: true })
    .split(" ").slice(0, 2).join(" ");
}

/** A size, as far as it is known. */
export function sizeText(bytes: number | null): string {
  return bytes === null ? "?" : formatBytes(bytes);
}
