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
  afterUpload: "delete",
  events: Array.from({ length: 8 }, (_, i): ChaosEvent[] => [
    { afterMs: 300, kind: "drop", sizes: sizes(20), how: "renamed" },
    {
      afterMs: 1200 + 150 * i,
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
  afterUpload: "delete",
  events: [
    { afterMs: 0, kind: "set clock", offsetS: -YEAR_S },
    { afterMs: 300, kind: "drop", sizes: sizes(2), how: "folder" },
  ],
};

/** One file, written over in place between one hand-over and the next, while nothing is sent. */
export const OVERWRITTEN: Schedule = {
  seed: 1,
  smallDisk: false,
  afterUpload: "delete",
  events: [
    {
      afterMs: 0,
      kind: "misbehave",
      changes: { status: 503 },
      forMs: 4000,
    },
    {
      afterMs: 0,
      kind: "overwrite",
      sizes: [1000, 1000, 1000],
      then: "truncate",
    },
  ],
};

/** A recorder that pauses for longer than a file takes to count as finished. */
export const RECORDER_THAT_PAUSES: Schedule = {
  seed: 1,
  smallDisk: false,
  afterUpload: "delete",
  events: [false, true].map((isRenamed) => ({
    afterMs: 100,
    kind: "record",
    chunks: 4,
    chunkBytes: 1000,
    pauseMs: 900,
    isRenamed,
  })),
};

/** Another file of the same name, size and time as one that was delivered and removed. */
export const TWINS: Schedule = {
  seed: 1,
  smallDisk: false,
  // A file that was kept is known; one that the agent has removed puts nothing in doubt.
  afterUpload: "keep",
  events: [{ afterMs: 100, kind: "twins", size: 1000 }],
};

/** Metadata that is there long before its capture. */
export const METADATA_FIRST: Schedule = {
  seed: 1,
  smallDisk: false,
  afterUpload: "delete",
  events: [{
    afterMs: 100,
    kind: "sidecar first",
    size: 1000,
    laterMs: 1500,
    hasMark: true,
  }],
};

/** Metadata that follows its capture. */
export const METADATA_AFTER: Schedule = {
  seed: 1,
  smallDisk: false,
  afterUpload: "delete",
  events: [{
    afterMs: 100,
    kind: "sidecar after",
    size: 1000,
    laterMs: 150,
    isRenamed: true,
  }],
};

/** A captive portal, and two other servers that say 200 to everything. */
export const IMPOSTORS: Schedule = {
  seed: 1,
  smallDisk: false,
  afterUpload: "delete",
  events: (["page", "empty", "other JSON"] as const).flatMap((
    impostor,
  ): ChaosEvent[] => [
    { afterMs: 300, kind: "misbehave", changes: { impostor }, forMs: 1000 },
    {
      afterMs: 200,
      kind: "enqueue",
      sizes: sizes(3),
      elsewhere: false,
      mode: "copy",
    },
    { afterMs: 1000, kind: "drop", sizes: sizes(2), how: "renamed" },
  ]),
};

function sizes(count: number): number[] {
  return Array.from({ length: count }, (_, i) => 100 + i);
}
