/** Histories in which promises were broken once. */

import type { ChaosEvent, Schedule } from "./schedule.ts";

const YEAR_S = 365 * 86_400;

/**
 * Agents killed while they take watched files over. What was in the spool
 * without a row was taken up again, and the file in the folder once more.
 */
export const KILLED_WHILE_WATCHING: Schedule = {
  seed: 1,
  smallDisk: false,
  events: Array.from({ length: 12 }, (_, i): ChaosEvent[] => [
    { afterMs: 300, kind: "drop", sizes: sizes(20), how: "renamed" },
    {
      afterMs: 200 + 50 * i,
      kind: "kill agent",
      signal: "SIGKILL",
      downMs: 0,
    },
  ]).flat(),
};

/** A file and its sidecar from the future: it waited until the clock had caught up. */
export const SIDECAR_FROM_THE_FUTURE: Schedule = {
  seed: 1,
  smallDisk: false,
  events: [
    { afterMs: 0, kind: "set clock", offsetS: -YEAR_S },
    { afterMs: 300, kind: "drop", sizes: sizes(2), how: "folder" },
  ],
};

function sizes(count: number): number[] {
  return Array.from({ length: count }, (_, i) => 100 + i);
}
