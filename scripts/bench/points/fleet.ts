/** Point 8: ten thousand agents whose server comes back after an hour. */
import type { Bench, Finding, Measured } from "../bench.ts";
import { type FleetReport, simulateFleet } from "../fleet/simulation.ts";

/** How many agents share the room for one capture a second: 10,000 have 500. */
const AGENTS_PER_ROOM = 20;
/** The same numbers in every run. */
const SEED = 20_250_101;

/** Simulates the fleet with a server that says when to come back, and with one that does not. */
export function measureFleet(bench: Bench): Promise<Measured> {
  const { agents, outageSeconds } = bench.scale;
  bench.tell(`Simulating ${agents} agents after ${outageSeconds} s of outage`);
  const roomPerSecond = Math.max(agents / AGENTS_PER_ROOM, 1);
  const simulate = (retryAfterSeconds?: number) =>
    simulateFleet({
      agents,
      roomPerSecond,
      outageSeconds,
      captureEverySeconds: 60,
      answerSeconds: 0.05,
      concurrency: 32,
      random: randomFrom(SEED),
      ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    });
  const plain = simulate();
  // The second takes as long again to simulate.
  const told = bench.scale.name === "quick" ? undefined : simulate(5);
  return Promise.resolve({
    findings: [
      ...judge(plain, roomPerSecond, "HTTP 429"),
      ...told ? judge(told, roomPerSecond, "HTTP 429 with Retry-After: 5") : [],
    ],
    charts: {
      fleet: (["asked", "taken", "probes"] as const).map((kind) => ({
        name: NAMES[kind],
        points: plain.seconds.map((second, x) => ({ x, y: second[kind] })),
      })),
    },
  });
}

const NAMES = {
  asked: "captures asked for",
  taken: "captures taken",
  probes: "health probes",
};

function judge(
  report: FleetReport,
  room: number,
  answer: string,
): Finding[] {
  const { deliveredAfter, idealSeconds, mostAsked, seconds } = report;
  const firstMinute = Math.max(...seconds.slice(0, 60).map((s) => s.asked));
  return [{
    point: 8,
    what: `most asked for after the first minute / room, ${answer}`,
    value: mostAsked / room,
    unit: "×",
    atMost: 2,
    detail: `${mostAsked}/s / ${room}/s; ${firstMinute}/s in the first minute`,
  }, {
    point: 8,
    what: `until all is delivered / the ideal, ${answer}`,
    value: deliveredAfter / idealSeconds,
    unit: "×",
    atMost: 1.3,
    detail: `${Math.round(deliveredAfter)} s / ${Math.round(idealSeconds)} s`,
  }];
}

/** Numbers from 0 up to 1 that look random and are always the same (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
