/** Point 3: a server that takes 20 ms for each capture. */
import type { Bench, Measured } from "../bench.ts";
import { compare, median } from "../rounds.ts";
import { throughAgent, throughFetch } from "./draining.ts";

const LATENCY_MS = 20;
const CAPTURE_BYTES = 100 * 1024;
const FETCH = "bare fetch";

/** Measures captures per second for each number of captures at a time. */
export async function measureLatency(bench: Bench): Promise<Measured> {
  const { concurrencies, latencySeconds, rounds } = bench.scale;
  bench.tell(`Delivering to a server that takes ${LATENCY_MS} ms`);
  const ideal = (concurrency: number) => concurrency / LATENCY_MS * 1000;
  // The agent finds its level meanwhile: it begins with 4 at a time.
  const warmUp = (concurrency: number) => concurrency * 30;
  const most = Math.max(...concurrencies);
  const paths = bench.makeFiles(
    Math.ceil(ideal(most) * latencySeconds) + warmUp(most),
    CAPTURE_BYTES,
  );
  await bench.receiver.take({ latencyMs: LATENCY_MS });
  const held = new Map<string, number[]>();
  const contender = (
    name: string,
    concurrency: number,
    send: typeof throughAgent | typeof throughFetch,
  ) => ({
    name,
    turn: async () => {
      const count = Math.ceil(ideal(concurrency) * latencySeconds) +
        warmUp(concurrency);
      const rate = await send(
        bench,
        paths.slice(0, count),
        { concurrency, warmUp: warmUp(concurrency) },
      );
      const { heldMs } = await bench.receiver.take({ latencyMs: LATENCY_MS });
      held.set(name, [...held.get(name) ?? [], heldMs / count]);
      return rate;
    },
  });
  const rates = await compare([
    ...concurrencies.map((n) => contender(String(n), n, throughAgent)),
    contender(FETCH, most, throughFetch),
  ], rounds);
  await bench.receiver.take();
  const ofIdeal = (name: string, concurrency: number) => {
    const rate = rates.get(name)!;
    // Timers are late: the server takes somewhat longer than it means to.
    const heldMs = median(held.get(name)!);
    const best = concurrency / heldMs * 1000;
    return {
      point: 3,
      value: rate / best,
      unit: "×",
      detail: `${Math.round(rate)}/s / ${
        Math.round(best)
      }/s, as the server took ${heldMs.toFixed(1)} ms`,
    };
  };
  const what = `100 KiB, ${LATENCY_MS} ms:`;
  return {
    findings: [
      ...concurrencies.map((n) => ({
        ...ofIdeal(String(n), n),
        what: `${what} ${n} at a time / the ideal`,
        atLeast: 0.9,
      })),
      {
        ...ofIdeal(FETCH, most),
        what: `${what} ${FETCH}, ${most} at a time / the ideal`,
      },
    ],
    charts: {
      latency: [
        {
          name: "the agent",
          points: concurrencies.map((x) => ({ x, y: rates.get(String(x))! })),
        },
        {
          name: "the ideal",
          points: concurrencies.map((x) => ({ x, y: ideal(x) })),
        },
      ],
    },
  };
}
