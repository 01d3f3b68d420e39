/** Cold: a backlog is delivered by a program that has to be started for it. */
import { join } from "@std/path";
import { type Bench, type Finding, ratio, sizeOf } from "../bench.ts";
import { firstDesign } from "../peers.ts";
import { run } from "../programs.ts";
import { compare } from "../rounds.ts";

/** Measures captures per second of one `sync`, its start included. */
export async function measureCold(bench: Bench): Promise<Finding[]> {
  const { peers: { python }, scale: { cold, rounds } } = bench;
  const findings: Finding[] = [];
  for (const { bytes, captures } of cold) {
    const what = `cold, ${captures} captures of ${sizeOf(bytes)}`;
    bench.tell(`${what}, starts included`);
    const paths = bench.makeFiles(captures, bytes);
    const rates = await compare([
      { name: "sync", turn: () => throughSync(bench, paths) },
      {
        name: "python",
        turn: python && (() => throughPython(bench, python, paths)),
      },
    ], rounds);
    const [own, other] = [rates.get("sync")!, rates.get("python")];
    findings.push(
      ...ratio(`${what}: "sync" / the first design`, [own, other], {
        unit: "captures/s",
        atLeast: 5,
      }),
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
  const { agent: { command, args }, receiver } = bench;
  return bench.inDir(async (dataDir) => {
    const where = `--data-dir=${dataDir}`;
    await run(command, [...args, "enqueue", where, ...paths]);
    await receiver.take();
    const start = performance.now();
    await run(command, [...args, "sync", where, `--server=${receiver.url}`]);
    const ms = performance.now() - start;
    const { captures } = await receiver.take();
    if (captures === paths.length) return captures / ms * 1000;
    throw new Error(`"sync" delivered ${captures} of ${paths.length}`);
  });
}

function throughPython(
  { inDir, receiver }: Bench,
  python: string,
  paths: string[],
): Promise<number> {
  return inDir(async (dir) => {
    const database = join(dir, "queue.db");
    await firstDesign(python, { database, paths });
    const start = performance.now();
    const rest = { server: receiver.url, concurrency: 4, paths: [] };
    await firstDesign(python, { database, ...rest });
    return paths.length / (performance.now() - start) * 1000;
  });
}
