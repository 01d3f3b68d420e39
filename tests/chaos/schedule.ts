import type { Misbehaviour } from "../../scripts/server/misbehaviour.ts";
import { MISBEHAVIOURS } from "./misbehaviours.ts";
import { Random } from "../helpers/random.ts";

/** One thing that happens. Each stands by itself, so that any of them can be left out. */
export type ChaosEvent =
  & { afterMs: number }
  & (
    | {
      kind: "enqueue";
      sizes: number[];
      /** Whether the files lie on another file system. */
      elsewhere: boolean;
      mode: "copy" | "move" | "reference";
      killAfterMs?: number;
      /** Kills it as soon as so many captures are acknowledged. */
      killAfterIds?: number;
    }
    | { kind: "drop"; sizes: number[]; how: "written" | "renamed" | "folder" }
    | {
      kind: "overwrite";
      /** The size of each version. */
      sizes: number[];
      then: "nothing" | "truncate" | "append" | "delete";
    }
    | {
      kind: "record";
      chunks: number;
      chunkBytes: number;
      pauseMs: number;
      isRenamed: boolean;
    }
    | { kind: "twins"; size: number }
    | {
      kind: "sidecar first";
      size: number;
      laterMs: number;
      /** Whether a byte order mark is before it. */
      hasMark: boolean;
    }
    | {
      kind: "sidecar after";
      size: number;
      laterMs: number;
      /** Whether its capture is renamed into place. */
      isRenamed: boolean;
    }
    | { kind: "touch"; shiftMs: number; mode: number }
    | { kind: "litter" }
    | { kind: "kill agent"; signal: "SIGKILL" | "SIGTERM"; downMs: number }
    | { kind: "kill server"; signal: "SIGKILL" | "SIGTERM"; downMs: number }
    | { kind: "stop agent" | "stop server"; forMs: number }
    | { kind: "misbehave"; changes: Partial<Misbehaviour>; forMs: number }
    | {
      kind: "cut connections";
      count: number;
      afterBytes: number;
      side: "request" | "answer";
    }
    | { kind: "refuse connections"; forMs: number }
    | { kind: "command"; args: string[]; killAfterMs?: number }
    | { kind: "fill disk"; forMs: number }
    | {
      kind: "mount disk";
      sizes: number[];
      /** How long it is there, and then away. */
      forMs: number;
    }
    | { kind: "lock queue"; forMs: number }
    | { kind: "reload agent" }
    | { kind: "look elsewhere"; command: string }
    | { kind: "set clock"; offsetS: number }
  );

/** Everything that happens in one round. */
export interface Schedule {
  seed: number;
  /** Whether the data directory is on a small disk of its own. */
  smallDisk: boolean;
  /** What the agent does with delivered files of the watched folder. */
  afterUpload: "keep" | "delete";
  events: readonly ChaosEvent[];
}

/** What the machine can do. */
export interface Abilities {
  canMount: boolean;
  canSetClock: boolean;
}

const COMMANDS: readonly string[][] = [
  ["status"],
  ["list", "--json"],
  ["retry", "--all"],
  ["retry", "--failed"],
  ["cleanup", "--days", "36500"],
  ["sync"],
];

const MIB = 1024 * 1024;
const YEAR_S = 365 * 86_400;

/** Draws a round: the same for the same seed and abilities. */
export function createSchedule(
  seed: number,
  count: number,
  abilities: Abilities,
): Schedule {
  const random = new Random(seed);
  const smallDisk = random.chance(0.25) && abilities.canMount;
  const events = Array.from({ length: count }, () => ({
    afterMs: random.magnitude(0, 600),
    ...drawEvent(random, smallDisk, abilities),
  } as ChaosEvent));
  const afterUpload = random.chance(0.7) ? "delete" : "keep";
  return { seed, smallDisk, afterUpload, events };
}

function drawEvent(
  random: Random,
  smallDisk: boolean,
  abilities: Abilities,
): Omit<ChaosEvent, "afterMs"> {
  const draw = random.weighted<() => object>([
    [30, () => drawEnqueue(random, smallDisk)],
    [7, () => ({
      kind: "drop",
      sizes: drawSizes(random, 12, 100_000),
      how: random.pick(["written", "renamed", "folder"]),
    })],
    [12, () => drawHabit(random)],
    [24, () => drawKill(random, "agent")],
    [8, () => drawKill(random, "server")],
    [3, () => ({ kind: "stop agent", forMs: random.magnitude(50, 2000) })],
    [3, () => ({ kind: "stop server", forMs: random.magnitude(50, 2000) })],
    [9, () => ({
      kind: "misbehave",
      changes: random.pick(MISBEHAVIOURS),
      forMs: random.magnitude(200, 3000),
    })],
    [6, () => ({
      kind: "cut connections",
      count: random.whole(1, 4),
      afterBytes: random.magnitude(0, MIB),
      side: random.chance(0.7) ? "request" : "answer",
    })],
    [2, () => ({
      kind: "refuse connections",
      forMs: random.magnitude(100, 2000),
    })],
    [10, () => ({
      kind: "command",
      args: random.pick(COMMANDS),
      ...(random.chance(0.3) && { killAfterMs: random.magnitude(20, 300) }),
    })],
    [2, () => ({ kind: "lock queue", forMs: random.magnitude(100, 6000) })],
    [2, () => ({ kind: "reload agent" })],
    [1, () => ({
      kind: "look elsewhere",
      command: random.pick(["status", "list", "doctor"]),
    })],
    [abilities.canMount ? 3 : 0, () => ({
      kind: "mount disk",
      sizes: drawSizes(random, 12, 100_000),
      forMs: random.magnitude(10, 3000),
    })],
    [smallDisk ? 6 : 0, () => ({
      kind: "fill disk",
      forMs: random.magnitude(200, 3000),
    })],
    [abilities.canSetClock ? 3 : 0, () => ({
      kind: "set clock",
      offsetS: random.pick([-YEAR_S, -3600, 0, 3600, YEAR_S]),
    })],
  ]);
  return draw() as Omit<ChaosEvent, "afterMs">;
}

function drawEnqueue(random: Random, smallDisk: boolean): object {
  const large = random.chance(0.08);
  const largest = smallDisk ? 12 * MIB : 64 * MIB;
  const sizes = large
    ? [random.magnitude(MIB, largest)]
    : drawSizes(random, 40, random.pick([2000, 30_000, 400_000]));
  const event = {
    kind: "enqueue",
    sizes,
    elsewhere: random.chance(0.4),
    mode: random.weighted([[7, "copy"], [2, "move"], [1, "reference"]]),
  };
  if (!random.chance(0.4)) return event;
  return random.chance(0.5)
    ? { ...event, killAfterIds: random.whole(1, sizes.length) }
    : { ...event, killAfterMs: random.magnitude(30, 400) };
}

function drawHabit(random: Random): object {
  const draw = random.weighted<() => object>([
    [4, () => ({
      kind: "overwrite",
      // So large that no two versions have the same bytes.
      sizes: drawSizes(random, 4, 50_000).map((size) => size + 16),
      then: random.pick(["nothing", "truncate", "append", "delete"]),
    })],
    [3, () => ({
      kind: "record",
      chunks: random.whole(2, 5),
      chunkBytes: random.magnitude(16, 50_000),
      pauseMs: random.magnitude(50, 1200),
      isRenamed: random.chance(0.3),
    })],
    [3, () => ({ kind: "twins", size: random.magnitude(16, 50_000) })],
    [2, () => ({
      kind: "sidecar first",
      size: random.magnitude(16, 50_000),
      laterMs: random.magnitude(0, 1500),
      hasMark: random.chance(0.3),
    })],
    [2, () => ({
      kind: "sidecar after",
      size: random.magnitude(16, 50_000),
      laterMs: random.magnitude(0, 150),
      isRenamed: random.chance(0.7),
    })],
    [2, () => ({
      kind: "touch",
      shiftMs: random.pick([0, 1000, -3_600_000, 3_600_000]),
      mode: random.pick([0o600, 0o644]),
    })],
    [1, () => ({ kind: "litter" })],
  ]);
  return draw();
}

function drawKill(random: Random, victim: "agent" | "server"): object {
  return {
    kind: `kill ${victim}`,
    signal: random.chance(0.8) ? "SIGKILL" : "SIGTERM",
    downMs: random.chance(0.6) ? 0 : random.magnitude(10, 1500),
  };
}

function drawSizes(random: Random, most: number, largest: number): number[] {
  return Array.from(
    { length: random.magnitude(1, most) },
    () => random.magnitude(0, largest),
  );
}

/** One event in a line for a person. */
export function describeEvent(event: ChaosEvent): string {
  const { afterMs, kind, ...rest } = event;
  const details = Object.entries(rest).map(([name, value]) =>
    `${name} ${JSON.stringify(value)}`
  );
  return `+${afterMs} ms  ${kind}  ${details.join(", ")}`.trimEnd();
}
