/** The work on a long queue, beside the same work on a short one. */
import { join } from "@std/path";
import type { BacklogInput, Costs } from "../agent/backlog.ts";
import type { Bench, Finding } from "../bench.ts";
import { runOwn } from "../programs.ts";
import { median } from "../rounds.ts";

const SHORT = 1000;

/** Measures claim, complete, status, start and memory. */
export async function measureBacklog(bench: Bench): Promise<Finding[]> {
  const { backlog, rounds } = bench.scale;
  const work = (path: string, fill: number) =>
    runOwn<Costs>("agent/backlog.ts", { path, fill } satisfies BacklogInput);
  const prepare = async (count: number) => {
    bench.tell(`Filling a queue with ${count} captures`);
    const path = join(bench.newDir(), "queue.db");
    await work(path, count);
    return { path, seen: [] as Costs[] };
  };
  const queues = [await prepare(SHORT), await prepare(backlog)] as const;
  for (let round = 0; round < rounds; round++) {
    for (const { path, seen } of queues) seen.push(await work(path, 0));
  }
  const [short, long] = queues.map(({ seen }) => (kind: keyof Costs) =>
    median(seen.map((costs) => costs[kind]))
  ) as [(kind: keyof Costs) => number, (kind: keyof Costs) => number];
  return [
    ...(["claim", "complete", "status"] as const).map((kind) => ({
      what: `${kind} with ${backlog} captures / with ${SHORT}`,
      value: long(kind) / short(kind),
      unit: "×",
      atMost: 2,
      detail: `${long(kind).toFixed(3)} / ${short(kind).toFixed(3)} ms`,
    })),
    {
      what: `memory with ${backlog} captures above that with ${SHORT}`,
      value: (long("residentBytes") - short("residentBytes")) / 1e6,
      unit: "MB",
      atMost: 16,
      detail: `${(long("residentBytes") / 1e6).toFixed(0)} MB in all`,
    },
    {
      what: `opening and recovering a queue of ${backlog} captures`,
      value: long("start"),
      unit: "ms",
      atMost: 1000,
      detail: `${short("start").toFixed(0)} ms with ${SHORT}`,
    },
  ];
}
