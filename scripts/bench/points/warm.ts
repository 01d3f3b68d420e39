/** A backlog is delivered by a program that has been at work for a while. */
import { join } from "@std/path";
import type { Drained, DrainInput } from "../agent/drain.ts";
import { type Bench, type Finding, ratio, sizeOf } from "../bench.ts";
import type { BareFetchInput } from "../peers/bare_fetch.ts";
import { curlPerFile, firstDesign } from "../peers.ts";
import { runOwn } from "../programs.ts";
import { compare, type Contender } from "../rounds.ts";

/** How many captures are sent at a time, by each contender. */
const CONCURRENCY = 4;
const AGENT = "the agent";
const FORM_FETCH = "fetch with FormData";
const PIECE_FETCH = "fetch, each body in one piece";
const FIRST_DESIGN = "the first design";

/** What the agent is to reach, by size: so many times a peer's rate. */
const TARGETS: Readonly<Record<number, Record<string, number>>> = {
  2048: { [FIRST_DESIGN]: 8, [FORM_FETCH]: 0.8 },
  102_400: { [FIRST_DESIGN]: 6, [FORM_FETCH]: 2 },
  307_200: { [FIRST_DESIGN]: 5 },
};

/** What a contender sends, and how. */
export interface Warm {
  paths: string[];
  /** How many of the paths are sent before the clock starts. */
  warmUp: number;
  concurrency: number;
}

/** Measures captures per second for each size. */
export async function measureWarm(bench: Bench): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { bytes, captures, warmUp } of bench.scale.warm) {
    const what = `warm, ${sizeOf(bytes)}`;
    bench.tell(`${what}, ${CONCURRENCY} at a time`);
    const paths = bench.makeFiles(warmUp + captures, bytes);
    const work = { paths, warmUp, concurrency: CONCURRENCY };
    const rates = await compare(contenders(bench, work), bench.scale.rounds);
    for (const [name, rate] of rates) {
      const atLeast = TARGETS[bytes]?.[name];
      findings.push(
        ...name === AGENT
          ? [{ what: `${what}: ${name}`, value: rate, unit: "captures/s" }]
            .map((one) => ({ ...one, detail: `${CONCURRENCY} at a time` }))
          : ratio(`${what}: the agent / ${name}`, [rates.get(AGENT), rate], {
            unit: "captures/s",
            ...atLeast !== undefined && { atLeast },
          }),
      );
    }
    await Deno.remove(join(paths[0]!, ".."), { recursive: true });
  }
  return findings;
}

function contenders(bench: Bench, work: Warm): Contender[] {
  const { peers: { python, curl }, scale: { slowCaptures } } = bench;
  const server = bench.receiver.url;
  const paths = work.paths.slice(0, slowCaptures);
  return [
    { name: AGENT, turn: () => throughAgent(bench, work) },
    { name: FORM_FETCH, turn: () => throughFetch(bench, work, "form") },
    { name: PIECE_FETCH, turn: () => throughFetch(bench, work, "piece") },
    ...python
      ? [{
        name: FIRST_DESIGN,
        turn: () => throughPython(bench, python, { ...work, paths }),
      }]
      : [],
    ...curl
      ? [{
        name: "curl for each file",
        turn: () => curlPerFile(curl, { ...work, server, paths }),
      }]
      : [],
  ];
}

/** Captures per second of the product's library. */
export function throughAgent(bench: Bench, work: Warm): Promise<number> {
  return bench.inDir(async (dataDir) => {
    const input: DrainInput = { server: bench.receiver.url, dataDir, ...work };
    const { ms } = await runOwn<Drained>("agent/drain.ts", input);
    return rateOf(work, ms);
  });
}

/** Captures per second of `fetch` alone; see `peers/bare_fetch.ts`. */
export async function throughFetch(
  bench: Bench,
  work: Warm,
  body: BareFetchInput["body"] = "piece",
): Promise<number> {
  const input: BareFetchInput = { server: bench.receiver.url, body, ...work };
  return rateOf(work, await runOwn("peers/bare_fetch.ts", input));
}

function throughPython(
  bench: Bench,
  python: string,
  work: Warm,
): Promise<number> {
  const warmUp = Math.ceil(work.paths.length / 10);
  return bench.inDir(async (dir) => {
    const database = join(dir, "queue.db");
    const server = bench.receiver.url;
    const input = { ...work, warmUp, database, server };
    return rateOf(input, await firstDesign(python, input));
  });
}

function rateOf({ paths, warmUp }: Warm, ms: number): number {
  return (paths.length - warmUp) / ms * 1000;
}
