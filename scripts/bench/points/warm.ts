/** Warm: a backlog is delivered by a program that has been running for a while. */
import { join } from "@std/path";
import type { Drained, DrainInput } from "../agent/drain.ts";
import { type Bench, type Finding, ratio, sizeOf } from "../bench.ts";
import type { BareFetchInput } from "../peers/bare_fetch.ts";
import { firstDesign } from "../peers.ts";
import { runOwn } from "../programs.ts";
import { compare } from "../rounds.ts";

const AGENT = "the agent";
const FORM_FETCH = "fetch with FormData";
const FIRST_DESIGN = "the first design";

/** The targets by size: at least so many times a peer's rate. */
const TARGETS: Readonly<Record<number, Record<string, number>>> = {
  2048: { [FIRST_DESIGN]: 8, [FORM_FETCH]: 0.8 },
  102_400: { [FIRST_DESIGN]: 6, [FORM_FETCH]: 2 },
  307_200: { [FIRST_DESIGN]: 5 },
};

/** The captures that a contender sends, and how. */
export interface Work {
  paths: string[];
  /** How many of the paths are sent before the clock starts. */
  warmUp: number;
  /** How many are sent at a time. */
  concurrency: number;
}

/** Measures captures per second for each size. */
export async function measureWarm(bench: Bench): Promise<Finding[]> {
  const { peers: { python }, scale } = bench;
  const findings: Finding[] = [];
  for (const { bytes, captures, warmUp } of scale.warm) {
    const what = `warm, ${sizeOf(bytes)}, 4 at a time`;
    bench.tell(what);
    const paths = bench.makeFiles(warmUp + captures, bytes);
    const work = { paths, warmUp, concurrency: 4 };
    const few = { ...work, paths: paths.slice(0, scale.slowCaptures) };
    const rates = await compare([
      { name: AGENT, turn: () => throughAgent(bench, work) },
      { name: FORM_FETCH, turn: () => throughFetch(bench, work, "form") },
      {
        name: "fetch, each body in one piece",
        turn: () => throughFetch(bench, work),
      },
      {
        name: FIRST_DESIGN,
        turn: python && (() => throughPython(bench, python, few)),
      },
    ], scale.rounds);
    for (const [name, rate] of rates) {
      if (name === AGENT) continue;
      const atLeast = TARGETS[bytes]?.[name];
      const both = [rates.get(AGENT), rate] as const;
      findings.push(...ratio(`${what}: the agent / ${name}`, both, {
        unit: "captures/s",
        ...atLeast !== undefined && { atLeast },
      }));
    }
    await Deno.remove(join(paths[0]!, ".."), { recursive: true });
  }
  return findings;
}

/** Captures per second of the product's library. */
export function throughAgent(bench: Bench, work: Work): Promise<number> {
  return bench.inDir(async (dataDir) => {
    const input: DrainInput = { server: bench.receiver.url, dataDir, ...work };
    const { ms } = await runOwn<Drained>("agent/drain.ts", input);
    return rateOf(work, ms);
  });
}

/** Captures per second of `fetch` alone; see `peers/bare_fetch.ts`. */
export async function throughFetch(
  bench: Bench,
  work: Work,
  body: BareFetchInput["body"] = "piece",
): Promise<number> {
  const input: BareFetchInput = { server: bench.receiver.url, body, ...work };
  return rateOf(work, await runOwn("peers/bare_fetch.ts", input));
}

function throughPython(
  { inDir, receiver }: Bench,
  python: string,
  work: Work,
): Promise<number> {
  const few = { ...work, warmUp: Math.ceil(work.paths.length / 10) };
  return inDir(async (dir) => {
    const database = join(dir, "queue.db");
    const input = { ...few, database, server: receiver.url };
    return rateOf(few, await firstDesign(python, input));
  });
}

function rateOf({ paths, warmUp }: Work, ms: number): number {
  return (paths.length - warmUp) / ms * 1000;
}
