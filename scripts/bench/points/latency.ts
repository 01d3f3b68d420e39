/** Point 3: a server that takes 20 ms for each capture. */
import type { Bench, Measured } from "../bench.ts";
import { compare, median } from "../rounds.ts";
import { throughAgent } from "./draining.ts";

const LATENCY_MS = 20;
const CAPTURE_BYTES = 100 * 1024;

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
  const held = new Map<number, number[]>();
  const rates = await compare(
    concurrencies.map((concurrency) => ({
      name: String(concurrency),
      turn: async () => {
        const count = Math.ceil(ideal(concurrency) * latencySeconds) +
          warmUp(concurrency);
        const rate = await throughAgent(
          bench,
          paths.slice(0, count),
          { concurrency, warmUp: warmUp(concurrency) },
        );
        const { heldMs } = await bench.receiver.take({ latencyMs: LATENCY_MS });
        held.set(concurrency, [
          ...held.get(concurrency) ?? [],
          heldMs / count,
        ]);
        return rate;
      },
    })),
    rounds,
  );
  await bench.receiver.take();
  return {
    findings: concurrencies.map((concurrency) => {
      const rate = rates.get(String(concurrency))!;
      // Timers are late: the server takes somewhat longer than it means to.
      const heldMs = median(held.get(concurrency)!);
      return {
        point: 3,
        what: `100 KiB, ${LATENCY_MS} ms: ${concurrency} at a time / the ideal`,
        value: rate / (concurrency / heldMs * 1000),
        unit: "×",
        atLeast: 0.9,
        detail: `${Math.round(rate)}/s / ${
          Math.round(concurrency / heldMs * 1000)
        }/s, as the server took ${heldMs.toFixed(1)} ms`,
      };
    }),
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
