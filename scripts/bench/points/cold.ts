/** A backlog is delivered by a program that has to be started for it. */
import { join } from "@std/path";
import { type Bench, type Finding, ratio, sizeOf } from "../bench.ts";
import { firstDesign } from "../peers.ts";
import { run } from "../programs.ts";
import { compare } from "../rounds.ts";

const CONCURRENCY = 4;
const AT_LEAST = 5;

/** Measures captures per second of one `sync`, its start included. */
export async function measureCold(bench: Bench): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { bytes, captures } of bench.scale.cold) {
    const what = `cold, ${captures} captures of ${sizeOf(bytes)}`;
    bench.tell(`${what}, starts included`);
    const paths = bench.makeFiles(captures, bytes);
    const rates = await compare([
      { name: "agent", turn: () => throughSync(bench, paths) },
      ...bench.peers.python
        ? [{ name: "python", turn: () => throughPython(bench, paths) }]
        : [],
    ], bench.scale.rounds);
    const own = rates.get("agent")!;
    findings.push(
      ...ratio(`${what}: "sync" / the first design`, [
        own,
        rates.get("python"),
      ], { unit: "captures/s", atLeast: AT_LEAST }),
      {
        what: `${what}: "jarvis-agent sync"`,
        value: own,
        unit: "captures/s",
        detail: `${bench.agent.how}, its start included`,
      },
    );
  }
  return findings;
}

function throughSync(bench: Bench, paths: string[]): Promise<number> {
  const { command, args } = bench.agent;
  return bench.inDir(async (dataDir) => {
    const where = `--data-dir=${dataDir}`;
    await run(command, [...args, "enqueue", where, ...paths]);
    await bench.receiver.take();
    const server = `--server=${bench.receiver.url}`;
    const start = performance.now();
    await run(command, [...args, "sync", where, server]);
    const ms = performance.now() - start;
    const { captures } = await bench.receiver.take();
    if (captures !== paths.length) {
      throw new Error(`"sync" delivered ${captures} of ${paths.length}`);
    }
    return captures / ms * 1000;
  });
}

function throughPython(bench: Bench, paths: string[]): Promise<number> {
  const python = bench.peers.python!;
  return bench.inDir(async (dir) => {
    const database = join(dir, "queue.db");
    await firstDesign(python, { database, paths });
    const start = performance.now();
    await firstDesign(python, {
      database,
      paths: [],
      server: bench.receiver.url,
      concurrency: CONCURRENCY,
    });
    return paths.length / (performance.now() - start) * 1000;
  });
}
