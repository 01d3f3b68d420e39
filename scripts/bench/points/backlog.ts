/** Point 6: what the work costs with a long queue, beside what it costs with a short one. */
import type { Costs } from "../agent/backlog.ts";
import type { Bench, Finding, Measured } from "../bench.ts";
import { runProgram } from "../children.ts";
import { median } from "../rounds.ts";

const SHORT = 1000;
const KINDS = [
  "claimMs",
  "settleMs",
  "statusMs",
  "startMs",
  "residentBytes",
] as const;

/** Measures claim, settle, status, start and memory. */
export async function measureBacklog(bench: Bench): Promise<Measured> {
  const { backlog, rounds } = bench.scale;
  bench.tell(`Filling a queue with ${backlog} captures`);
  const dirs = { short: bench.newDir(), long: bench.newDir() };
  await runProgram("agent/backlog.ts", { dataDir: dirs.short, fill: SHORT });
  await runProgram("agent/backlog.ts", { dataDir: dirs.long, fill: backlog });
  bench.tell("Working on it");
  const seen = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const [name, dataDir] of Object.entries(dirs)) {
      const costs = await runProgram<Costs>("agent/backlog.ts", {
        dataDir,
        fill: 0,
      });
      for (const kind of KINDS) {
        const key = `${name} ${kind}`;
        seen.set(key, [...seen.get(key) ?? [], costs[kind]]);
      }
    }
  }
  const medians = new Map(
    [...seen].map(([key, figures]) => [key, median(figures)]),
  );
  await Promise.all(
    Object.values(dirs).map((dir) => Deno.remove(dir, { recursive: true })),
  );
  return { findings: judge(medians, backlog) };
}

function judge(medians: Map<string, number>, backlog: number): Finding[] {
  const of = (name: string, kind: string) => medians.get(`${name} ${kind}`)!;
  const ratios = (["claim", "settle", "status"] as const).map((work) => {
    const [long, short] = ["long", "short"].map((name) =>
      of(name, `${work}Ms`)
    ) as [number, number];
    return {
      point: 6,
      what: `${work} with ${backlog} captures / with ${SHORT}`,
      value: long / short,
      unit: "×",
      atMost: 2,
      detail: `${long.toFixed(3)} ms / ${short.toFixed(3)} ms`,
    };
  });
  const grown = of("long", "residentBytes") - of("short", "residentBytes");
  return [...ratios, {
    point: 6,
    what: `memory with ${backlog} captures above that with ${SHORT}`,
    value: grown / 1e6,
    unit: "MB",
    atMost: 16,
    detail: `${(of("long", "residentBytes") / 1e6).toFixed(0)} MB in all`,
  }, {
    point: 6,
    what: `opening and recovering the queue with ${backlog} captures`,
    value: of("long", "startMs"),
    unit: "ms",
    atMost: 1000,
    detail: `${of("short", "startMs").toFixed(0)} ms with ${SHORT}`,
  }];
}
