import { counted } from "../host/counted.ts";
import type { OptionValues } from "./arguments.ts";
import { readGlobs } from "./settings/folders.ts";

/** The captures that are asked for. */
export interface Selection {
  sinceMs: number;
  /** How many are shown, at most. */
  limit: number;
  /** Whether every capture is meant. */
  isAll: boolean;
  /** Whether one is meant, besides its time. */
  admits: (
    capture: { filepath: string; lastError?: string | null },
  ) => boolean;
}

/** @throws {UsageError} if an option cannot be used. */
export function readSelection(given: OptionValues): Selection {
  const since = given.text("since");
  const reason = given.text("reason")?.toLowerCase();
  const glob = readGlobs(given, "path").at(-1);
  return {
    sinceMs: since === undefined ? -Infinity : readTime(given, since),
    limit: given.number("limit", { min: 1, max: 1e9 }),
    isAll: [since, reason, glob].every((value) => value === undefined),
    admits({ filepath, lastError = null }) {
      if (reason !== undefined) {
        if (!lastError?.toLowerCase().includes(reason)) return false;
      }
      return glob?.matches(filepath) ?? true;
    },
  };
}

/**
 * The captures that are meant, as many as are shown; tells then how many are not.
 *
 * @param options `total` spares counting them.
 */
export function* select<T extends { filepath: string }>(
  captures: Iterable<T>,
  selection: Selection,
  { total, err }: { total?: number | undefined; err: (line: string) => void },
): Generator<T> {
  let found = 0;
  for (const capture of captures) {
    if (!selection.admits(capture)) continue;
    if (found++ < selection.limit) yield capture;
    else if (total !== undefined) break;
  }
  tellMore((total ?? found) - Math.min(found, selection.limit), err);
}

/** Prints how many are not shown, if any. */
export function tellMore(count: number, err: (line: string) => void): void {
  if (count <= 0) return;
  const text = counted(count, "more is", "more are");
  err(`jarvis-agent: ${text} not shown (--limit shows more of them)`);
}

function readTime(given: OptionValues, text: string): number {
  const [date] = /^\d{4}-\d\d-\d\d/.exec(text) ?? [];
  if (date !== undefined) {
    const timeMs = Date.parse(text);
    // February 30 would be taken for March 2.
    const isDay = new Date(Date.parse(date) || 0).toISOString().startsWith(
      date,
    );
    if (isDay && timeMs <= Date.now()) return timeMs;
    throw given.wrong(
      "since",
      "a time that is over, like 2026-03-01 or 2026-03-01T12:00Z",
    );
  }
  const or = ", or a date like 2026-03-01";
  const range = { min: "0s", max: "36500d", or } as const;
  return Date.now() - given.durationMs("since", range)!;
}
