/** Points 1 and 2: how fast a backlog drains, beside what a user would take instead. */
import { join } from "@std/path";
import type { Drained } from "../agent/drain.ts";
import type { Bench, Finding, Measured, Series } from "../bench.ts";
import { AS_COMPILED, programArgs, run, runProgram } from "../children.ts";
import { curlAtOnce, curlPerFile, firstDesign } from "../peers.ts";
import { compare, type Contender, median } from "../rounds.ts";

/** How many captures are sent at a time, by each contender. */
const CONCURRENCY = 4;
const SMALL_BYTES = 10_000;

/** The processor's time for each capture, which other programs' work disturbs less than the rate. */
type CpuTimes = Map<string, number[]>;

const AGENT = "the agent";
const FETCHES = {
  "bare fetch, FormData": "form",
  "bare fetch, one piece": "piece",
  "bare fetch, one piece, read synchronously": "piece-sync",
} as const;
const FIRST_DESIGN = "first design";

/** Measures captures per second for each size. */
export async function measureDraining(bench: Bench): Promise<Measured> {
  const findings: Finding[] = [];
  const series: Series[] = [];
  for (const { bytes, captures, warmUp } of bench.scale.sizes) {
    const size = `${bytes / 1024} KiB`;
    bench.tell(`Draining captures of ${size}`);
    const paths = bench.makeFiles(warmUp + captures, bytes);
    const cpu: CpuTimes = new Map();
    const list = contenders(bench, { paths, warmUp }, cpu);
    const rates = await compare(list, bench.scale.rounds);
    findings.push(...judge(rates, cpu, { bytes, size }));
    findings.push({
      point: pointOf(bytes),
      what: `${size}: "jarvis-agent sync" from source, start included`,
      value: await throughCli(bench, paths),
      unit: "captures/s",
      detail: `${paths.length} captures, one turn`,
    });
    series.push({
      name: size,
      points: [...rates].map(([x, y]) => ({ x, y })),
    });
    await Deno.remove(join(paths[0]!, ".."), { recursive: true });
  }
  return { findings, charts: { draining: series } };
}

function contenders(
  bench: Bench,
  { paths, warmUp }: { paths: string[]; warmUp: number },
  cpu: CpuTimes,
): Contender[] {
  const noteCpu = (name: string, cpuMs: number) =>
    cpu.set(name, [...cpu.get(name) ?? [], cpuMs / (paths.length - warmUp)]);
  const { peers, scale: { slowCaptures } } = bench;
  const server = bench.receiver.url;
  const few = paths.slice(0, slowCaptures);
  const list: Contender[] = [
    {
      name: AGENT,
      turn: () =>
        throughAgent(bench, paths, {
          concurrency: CONCURRENCY,
          warmUp,
          onCpu: (cpuMs) => noteCpu(AGENT, cpuMs),
        }),
    },
  ];
  for (const [name, body] of Object.entries(FETCHES)) {
    list.push({
      name,
      turn: () =>
        throughFetch(bench, paths, {
          concurrency: CONCURRENCY,
          warmUp,
          body,
          onCpu: (cpuMs) => noteCpu(name, cpuMs),
        }),
    });
  }
  const { python, curl } = peers;
  for (const concurrency of python ? [1, CONCURRENCY] : []) {
    list.push({
      name: `${FIRST_DESIGN} (Python, ${python!.client}), ${concurrency}`,
      turn: () =>
        bench.inDir((dir) =>
          firstDesign(python!.command, {
            server,
            database: join(dir, "queue.db"),
            paths: [...few, ...few.slice(0, 20)],
            warmUp: Math.min(few.length, 20),
            concurrency,
          })
        ),
    });
  }
  if (curl) {
    list.push({
      name: "curl for each file",
      turn: () =>
        curlPerFile(curl, { server, paths: few, concurrency: CONCURRENCY }),
    });
    for (const concurrency of [1, CONCURRENCY]) {
      list.push({
        name: `curl, one process, ${concurrency}`,
        turn: () =>
          bench.inDir((dir) =>
            curlAtOnce(curl, { server, paths, concurrency, dir })
          ),
      });
    }
  }
  return list;
}

/** Captures per second of the product's library, in a process that is warm. */
export async function throughAgent(
  bench: Bench,
  paths: string[],
  options: {
    concurrency: number;
    warmUp: number;
    onCpu?: (cpuMs: number) => void;
  },
): Promise<number> {
  const { concurrency, warmUp, onCpu } = options;
  return await bench.inDir(async (dataDir) => {
    const { ms, cpuMs, delivered } = await runProgram<Drained>(
      "agent/drain.ts",
      {
        server: bench.receiver.url,
        dataDir,
        paths,
        warmUp,
        concurrency,
      },
      AS_COMPILED,
    );
    if (delivered !== paths.length - warmUp) {
      throw new Error(`The agent delivered ${delivered} of ${paths.length}`);
    }
    onCpu?.(cpuMs);
    return delivered / ms * 1000;
  });
}

/** Captures per second of `fetch` alone; see `peers/bare_fetch.ts`. */
export async function throughFetch(
  bench: Bench,
  paths: string[],
  options: {
    concurrency: number;
    warmUp: number;
    body?: string;
    onCpu?: (cpuMs: number) => void;
  },
): Promise<number> {
  const { concurrency, warmUp, body = "piece-sync", onCpu } = options;
  const { ms, cpuMs } = await runProgram<{ ms: number; cpuMs: number }>(
    "peers/bare_fetch.ts",
    { server: bench.receiver.url, paths, warmUp, concurrency, body },
  );
  onCpu?.(cpuMs);
  return (paths.length - warmUp) / ms * 1000;
}

/** Captures per second of the program's command `sync`, its start included. */
async function throughCli(bench: Bench, paths: string[]): Promise<number> {
  return await bench.inDir(async (dataDir) => {
    await runProgram("agent/fill.ts", { dataDir, paths });
    const start = performance.now();
    await run(Deno.execPath(), [
      ...programArgs("main.ts", AS_COMPILED),
      "sync",
      `--data-dir=${dataDir}`,
      `--server=${bench.receiver.url}`,
      `--concurrency=${CONCURRENCY}`,
    ]);
    return paths.length / (performance.now() - start) * 1000;
  });
}

/** Small captures are a point of their own. */
function pointOf(bytes: number): 1 | 2 {
  return bytes < SMALL_BYTES ? 2 : 1;
}

function judge(
  rates: Map<string, number>,
  cpu: CpuTimes,
  { bytes, size }: { bytes: number; size: string },
): Finding[] {
  const own = rates.get(AGENT)!;
  const point = pointOf(bytes);
  const best = (names: string[]) =>
    Math.max(...names.map((name) => rates.get(name)!));
  const first = [...rates.keys()].filter((n) => n.startsWith(FIRST_DESIGN));
  const perSecond = (rate: number) => `${Math.round(rate)}/s`;
  const findings: Finding[] = [];
  if (first.length > 0) {
    findings.push({
      point,
      what: `${size}: the agent / the first design`,
      value: own / best(first),
      unit: "×",
      atLeast: point === 2 ? 12 : 8,
      detail: `${perSecond(own)} / ${perSecond(best(first))}`,
    });
  }
  const fetch = best(Object.keys(FETCHES));
  findings.push({
    point,
    what: `${size}: the agent / the best bare fetch`,
    value: own / fetch,
    unit: "×",
    atLeast: point === 2 ? 0.6 : 0.8,
    detail: `${perSecond(own)} / ${perSecond(fetch)}`,
  });
  const cpuOf = (name: string) => median(cpu.get(name)!);
  const leastCpu = Math.min(...Object.keys(FETCHES).map(cpuOf));
  findings.push({
    point,
    what: `${size}: the agent's processor time / the best bare fetch's`,
    value: cpuOf(AGENT) / leastCpu,
    unit: "×",
    detail: `${cpuOf(AGENT).toFixed(2)} ms / ${
      leastCpu.toFixed(2)
    } ms each; other programs disturb it less than the rates`,
  });
  for (const [name, rate] of rates) {
    if (name === AGENT) continue;
    findings.push({
      point,
      what: `${size}: ${name}`,
      value: rate,
      unit: "captures/s",
      detail: `the agent is ${(own / rate).toFixed(2)} times as fast`,
    });
  }
  return findings;
}
