/** Ten thousand agents whose server comes back after an hour. */
import type { Bench, Finding } from "../bench.ts";
import { ratio } from "../bench.ts";
import { simulateFleet } from "../fleet_simulation.ts";

/** How many agents share the room for one capture a second: 10,000 have 500. */
const AGENTS_PER_ROOM = 20;
/** The same numbers in every run. */
const SEED = 20_250_101;

/** Simulates the fleet with a server that says when to come back, and with one that does not. */
export function measureFleet(bench: Bench): Promise<Finding[]> {
  const { name, agents, outageSeconds } = bench.scale;
  bench.tell(`Simulating ${agents} agents after ${outageSeconds} s of outage`);
  const roomPerSecond = Math.max(agents / AGENTS_PER_ROOM, 1);
  // The second takes as long again to simulate.
  const retryAfters = name === "quick" ? [null] : [null, 5];
  return Promise.resolve(retryAfters.flatMap((retryAfterSeconds) => {
    const answer = retryAfterSeconds === null
      ? "HTTP 429"
      : `HTTP 429 with Retry-After: ${retryAfterSeconds}`;
    const { deliveredAfter, idealSeconds, mostAsked } = simulateFleet({
      agents,
      roomPerSecond,
      outageSeconds,
      captureEverySeconds: 60,
      answerSeconds: 0.05,
      concurrency: 32,
      random: randomFrom(SEED),
      retryAfterSeconds,
    });
    return [
      ...ratio(
        `a fleet after an outage, ${answer}: most asked for after the first minute / room`,
        [mostAsked, roomPerSecond],
        { unit: "captures/s", atMost: 2 },
      ),
      ...ratio(
        `a fleet after an outage, ${answer}: until all is delivered / the ideal`,
        [deliveredAfter, idealSeconds],
        { unit: "s", atMost: 1.3 },
      ),
    ];
  }));
}

/** Numbers from 0 up to 1 that look random and are always the same (Park and Miller). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => (state = state * 16_807 % 2_147_483_647) / 2_147_483_647;
}
