/** What the network and the server make of it: 20 ms for each capture. */
import { type Bench, type Finding, ratio } from "../bench.ts";
import { compare, median } from "../rounds.ts";
import { throughAgent, throughFetch } from "./warm.ts";

const LATENCY_MS = 20;
const CAPTURE_BYTES = 100 * 1024;
const AT_LEAST = 0.9;

/** Measures captures per second for each number of captures at a time. */
export async function measureLatency(bench: Bench): Promise<Finding[]> {
  const { concurrencies, latencySeconds, rounds } = bench.scale;
  bench.tell(`Delivering to a server that takes ${LATENCY_MS} ms`);
  const ideal = (concurrency: number) => concurrency / LATENCY_MS * 1000;
  // The agent finds its level meanwhile: it begins with few at a time.
  const warmUpOf = (concurrency: number) => concurrency * 30;
  const countOf = (concurrency: number) =>
    Math.ceil(ideal(concurrency) * latencySeconds) + warmUpOf(concurrency);
  const most = Math.max(...concurrencies);
  const paths = bench.makeFiles(countOf(most), CAPTURE_BYTES);
  const heldMs = new Map<string, number[]>();
  const contender = (
    name: string,
    concurrency: number,
    send: typeof throughAgent,
  ) => ({
    name,
    turn: async () => {
      const count = countOf(concurrency);
      const warmUp = warmUpOf(concurrency);
      await bench.receiver.take({ latencyMs: LATENCY_MS });
      const work = { paths: paths.slice(0, count), warmUp, concurrency };
      const rate = await send(bench, work);
      const received = await bench.receiver.take();
      const held = received.heldMs / count;
      heldMs.set(name, [...heldMs.get(name) ?? [], held]);
      return rate;
    },
  });
  const fetch = `bare fetch, ${most} at a time`;
  const rates = await compare([
    ...concurrencies.map((n) => contender(`${n} at a time`, n, throughAgent)),
    contender(fetch, most, throughFetch),
  ], rounds);
  return [...rates].flatMap(([name, rate]) => {
    const concurrency = name === fetch ? most : parseInt(name);
    // Timers are late: the server takes somewhat longer than it means to.
    const best = concurrency / median(heldMs.get(name)!) * 1000;
    return ratio(`100 KiB, ${LATENCY_MS} ms: ${name} / the ideal`, [
      rate,
      best,
    ], { unit: "captures/s", ...name !== fetch && { atLeast: AT_LEAST } });
  });
}
