import { counted } from "../host/counted.ts";
import type { Given } from "./arguments.ts";
import { readGlobs } from "./folders.ts";

/** Which captures are asked for. */
export interface Selection {
  sinceMs: number;
  /** How many are shown, at most. */
  limit: number;
  /** Whether every capture is meant. */
  isAll: boolean;
  /** Whether one is meant, besides its time. */
  admits(capture: { filepath: string; lastError?: string | null }): boolean;
}

/** @throws {UsageError} if an option cannot be used. */
export function readSelection(given: Given): Selection {
  const since = given.text("since");
  const reason = given.text("reason")?.toLowerCase();
  const glob = readGlobs(given, "path").at(-1);
  return {
    sinceMs: since === undefined ? -Infinity : readTime(given, since),
    limit: given.number("limit", 100, { min: 1, max: 1e9 }),
    isAll: [since, reason, glob].every((value) => value === undefined),
    admits({ filepath, lastError = null }) {
      if (reason !== undefined) {
        if (!lastError?.toLowerCase().includes(reason)) return false;
      }
      return glob?.matches(filepath) ?? true;
    },
  };
}

/** Takes the first ones that are meant and counts the rest, which a `total` spares. */
export function select<T extends { filepath: string }>(
  captures: Iterable<T>,
  selection: Selection,
  total?: number,
): { shown: T[]; more: number } {
  const shown: T[] = [];
  let found = 0;
  for (const capture of captures) {
    if (!selection.admits(capture)) continue;
    if (found++ < selection.limit) shown.push(capture);
    else if (total !== undefined) break;
  }
  return { shown, more: Math.max((total ?? found) - shown.length, 0) };
}

/** Says how many are not shown. */
export function moreText(more: number): string {
  return `jarvis-agent: ${
    counted(more, "more is", "more are")
  } not shown (--limit shows more of them)`;
}

function readTime(given: Given, text: string): number {
  if (/^\d{4}-\d\d-\d\d/.test(text)) {
    const timeMs = Date.parse(text);
    if (!Number.isNaN(timeMs)) return timeMs;
    throw given.wrong("since", "a time like 2026-03-01 or 2026-03-01T12:00Z");
  }
  const or = ", or a date like 2026-03-01";
  const range = { min: "0s", max: "36500d", or } as const;
  return Date.now() - given.durationMs("since", "0s", range);
}
