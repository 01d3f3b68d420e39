/** How much is measured: everything, or less of it in less time. */

const KIB = 1024;
const MIB = 1024 * KIB;

const FULL = {
  name: "full",
  /** The turns of each contender; the median counts. */
  rounds: 5,
  /** The captures that one start of the program delivers. */
  cold: [
    { bytes: 100 * KIB, captures: 1500 },
    { bytes: 2 * KIB, captures: 4000 },
  ],
  /** The captures that a warm program delivers, after `warmUp` others. */
  warm: [
    { bytes: 2 * KIB, captures: 4000, warmUp: 500 },
    { bytes: 100 * KIB, captures: 3000, warmUp: 300 },
    { bytes: 300 * KIB, captures: 1500, warmUp: 250 },
  ],
  /** How many captures a turn of a slow contender sends. */
  slowCaptures: 200,
  /** How many are sent at a time to a server that takes its time. */
  concurrencies: [1, 4, 16, 32],
  /** How many seconds a turn with such a server takes, about. */
  latencySeconds: 2,
  largeBytes: 4096 * MIB,
  /** How many files are copied into the spool. */
  copies: 1000,
  /** How many captures wait in the large backlog. */
  backlog: 1_000_000,
  idleSeconds: 60,
  idleFiles: 20_000,
  /** How many captures another process hands over, one by one. */
  handovers: 20,
  agents: 10_000,
  outageSeconds: 3600,
};

/** The amounts of one run. */
export type Scale = Readonly<typeof FULL>;

/** The amounts by name: `tiny` shows only that it works. */
export const SCALES: Readonly<Record<"full" | "quick" | "tiny", Scale>> = {
  full: FULL,
  quick: {
    ...FULL,
    name: "quick",
    rounds: 3,
    warm: [
      { bytes: 2 * KIB, captures: 3000, warmUp: 300 },
      { bytes: 100 * KIB, captures: 2500, warmUp: 200 },
      { bytes: 300 * KIB, captures: 1000, warmUp: 100 },
    ],
    slowCaptures: 60,
    concurrencies: [4, 32],
    latencySeconds: 1,
    largeBytes: 512 * MIB,
    copies: 300,
    backlog: 100_000,
    idleSeconds: 10,
    idleFiles: 2000,
    handovers: 5,
  },
  tiny: {
    name: "tiny",
    rounds: 1,
    cold: [{ bytes: 2 * KIB, captures: 5 }],
    warm: [{ bytes: 2 * KIB, captures: 10, warmUp: 5 }],
    slowCaptures: 5,
    concurrencies: [4],
    latencySeconds: 0.1,
    largeBytes: 5 * MIB,
    copies: 5,
    backlog: 2000,
    idleSeconds: 0.2,
    idleFiles: 5,
    handovers: 1,
    agents: 100,
    outageSeconds: 60,
  },
};
