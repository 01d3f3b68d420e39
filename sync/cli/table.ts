import { format as formatBytes } from "@std/fmt/bytes";
import { durationText } from "../host/duration.ts";
import { oneLine } from "../host/log.ts";
import type { Surroundings } from "./command.ts";

/** How many rows are in memory at a time. */
const PAGE = 500;

/** Lines whose columns stand below each other. */
export function alignedLines(rows: string[][]): string[] {
  return new Columns().lines(rows);
}

/** Columns of a table that is written a part at a time: none becomes narrower. */
export class Columns {
  readonly #widths: number[] = [];

  lines(rows: string[][]): string[] {
    const shown = rows.map((row) => row.map(oneLine));
    for (const row of shown) {
      row.forEach(({ length }, column) => {
        this.#widths[column] = Math.max(this.#widths[column] ?? 0, length);
      });
    }
    return shown.map((row) =>
      row.map((text, column) => text.padEnd(this.#widths[column]!))
        .join("  ").trimEnd()
    );
  }
}

/** Prints a list as one line of JSON, however long that is. */
export function printJson(
  items: Iterable<unknown>,
  { out }: Pick<Surroundings, "out">,
): void {
  let before = "[";
  for (const page of pages(items)) {
    const texts = page.map((item) => JSON.stringify(item));
    out(before + texts.join(","), "");
    before = ",";
  }
  out(before === "[" ? "[]" : "]");
}

/** The items, some hundreds at a time. */
export function* pages<T>(items: Iterable<T>): Generator<T[]> {
  let page: T[] = [];
  for (const item of items) {
    page.push(item);
    if (page.length < PAGE) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** A time span in its two largest units: `3h 5m`. */
export function span(ms: number): string {
  return durationText(ms).split(" ").slice(0, 2).join(" ");
}

/** A size, as far as it is known. */
export function sizeText(bytes: number | null): string {
  return bytes === null ? "?" : formatBytes(bytes);
}
