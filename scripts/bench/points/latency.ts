/** Latency: a server that takes 20 ms for each capture. */
import { type Bench, type Finding, ratio } from "../bench.ts";
import { compare, median } from "../rounds.ts";
import { throughAgent, throughFetch } from "./warm.ts";

const LATENCY_MS = 20;
const CAPTURE_BYTES = 100 * 1024;

/** Measures captures per second for each number of captures at a time. */
export async function measureLatency(bench: Bench): Promise<Finding[]> {
  const { receiver, scale: { concurrencies, latencySeconds, rounds } } = bench;
  bench.tell(`Delivering to a server that takes ${LATENCY_MS} ms`);
  // The agent finds its level meanwhile: it begins with few at a time.
  const warmUpOf = (concurrency: number) => concurrency * 30;
  const countOf = (concurrency: number) =>
    Math.ceil(concurrency / LATENCY_MS * 1000 * latencySeconds) +
    warmUpOf(concurrency);
  const most = Math.max(...concurrencies);
  const paths = bench.makeFiles(countOf(most), CAPTURE_BYTES);
  const contender = (concurrency: number, isAgent: boolean) => {
    const name = `${isAgent ? "the agent" : "fetch"}, ${concurrency} at a time`;
    const count = countOf(concurrency);
    const warmUp = warmUpOf(concurrency);
    const work = { paths: paths.slice(0, count), warmUp, concurrency };
    const heldMs: number[] = [];
    const turn = async () => {
      await receiver.take({ latencyMs: LATENCY_MS });
      const rate = await (isAgent ? throughAgent : throughFetch)(bench, work);
      heldMs.push((await receiver.take()).heldMs / count);
      return rate;
    };
    // Timers are late: the server takes somewhat longer than it means to.
    const ideal = () => concurrency / median(heldMs) * 1000;
    return { name, turn, ideal, isAgent };
  };
  const contenders = concurrencies.map((n) => contender(n, true));
  contenders.push(contender(most, false));
  const rates = await compare(contenders, rounds);
  return contenders.flatMap(({ name, ideal, isAgent }) =>
    ratio(`100 KiB, ${LATENCY_MS} ms: ${name} / the ideal`, [
      rates.get(name),
      ideal(),
    ], { unit: "captures/s", ...isAgent && { atLeast: 0.9 } })
  );
}
