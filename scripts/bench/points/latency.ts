/** Point 3: a server that takes 20 ms for each capture. */
import type { Bench, Measured } from "../bench.ts";
import { compare } from "../rounds.ts";
import { throughAgent } from "./draining.ts";

const LATENCY_MS = 20;
const CAPTURE_BYTES = 100 * 1024;

/** Measures captures per second for each number of captures at a time. */
export async function measureLatency(bench: Bench): Promise<Measured> {
  const { concurrencies, latencySeconds, rounds } = bench.scale;
  bench.tell(`Delivering to a server that takes ${LATENCY_MS} ms`);
  const ideal = (concurrency: number) => concurrency / LATENCY_MS * 1000;
  const warmUp = (concurrency: number) => concurrency * 5;
  const most = Math.max(...concurrencies);
  const paths = bench.makeFiles(
    Math.ceil(ideal(most) * latencySeconds) + warmUp(most),
    CAPTURE_BYTES,
  );
  await bench.receiver.take({ latencyMs: LATENCY_MS });
  const rates = await compare(
    concurrencies.map((concurrency) => ({
      name: String(concurrency),
      turn: () => {
        const count = Math.ceil(ideal(concurrency) * latencySeconds) +
          warmUp(concurrency);
        return throughAgent(
          bench,
          paths.slice(0, count),
          { concurrency, warmUp: warmUp(concurrency) },
        );
      },
    })),
    rounds,
  );
  await bench.receiver.take();
  return {
    findings: concurrencies.map((concurrency) => {
      const rate = rates.get(String(concurrency))!;
      return {
        point: 3,
        what: `100 KiB, ${LATENCY_MS} ms: ${concurrency} at a time / the ideal`,
        value: rate / ideal(concurrency),
        unit: "×",
        atLeast: 0.9,
        detail: `${Math.round(rate)}/s / ${ideal(concurrency)}/s`,
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
