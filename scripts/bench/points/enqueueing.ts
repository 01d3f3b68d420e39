/** The speed of handing over captures, and of the program's start. */
import { type Bench, type Finding, ratio } from "../bench.ts";
import { copiesInC } from "../peers.ts";
import { compileEmpty, type Program, run, runOwn } from "../programs.ts";
import { compare } from "../rounds.ts";

/** Starts are short, and differ by a third among themselves. */
const STARTS_A_ROUND = 9;

/** Measures copies into the spool beside a C program's, and the start of the CLI. */
export async function measureEnqueueing(bench: Bench): Promise<Finding[]> {
  const { inDir, scale: { copies, rounds }, peers: { copier } } = bench;
  bench.tell("Copying files into the spool");
  const paths = bench.makeFiles(copies, 100 * 1024);
  const enqueue = (dataDir: string) =>
    runOwn<number>("agent/enqueue.ts", { dataDir, paths });
  const rates = await compare([
    { name: "agent", turn: () => inDir(enqueue) },
    {
      name: "C",
      turn: copier && (() => inDir((dir) => copiesInC(copier, paths, dir))),
    },
  ], rounds);
  return [
    ...ratio("copies of 100 KiB into the spool, each durable: the agent / C", [
      rates.get("agent"),
      rates.get("C"),
    ], { unit: "files/s", atLeast: 0.7 }),
    ...await measureStarts(bench, paths),
  ];
}

async function measureStarts(
  bench: Bench,
  used: string[],
): Promise<Finding[]> {
  bench.tell("Starting the program");
  const { agent, scale: { rounds } } = bench;
  const enqueue = ["enqueue", `--data-dir=${bench.newDir()}`];
  // As on a host that has been in use: the spool has its folders.
  await run(agent.command, [...agent.args, ...enqueue, ...used]);
  const [file] = bench.makeFiles(1, 2048);
  const started = (name: string, program: Program, more: string[]) => ({
    name,
    turn: async () => {
      const start = performance.now();
      await run(program.command, [...program.args, ...more]);
      return performance.now() - start;
    },
  });
  const empty = await compileEmpty(bench.newDir(), agent);
  const times = await compare([
    started("enqueue", agent, [...enqueue, file!]),
    started("--help", agent, ["--help"]),
    started("empty", empty, []),
  ], rounds * STARTS_A_ROUND);
  const beside = (name: string, atMost: number) =>
    ratio(`start of "${name}" / of an empty program, ${agent.how}`, [
      times.get(name),
      times.get("empty"),
    ], { unit: "ms", atMost });
  return [...beside("enqueue", 3), ...beside("--help", 1.5)];
}
