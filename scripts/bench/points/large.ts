/** One capture of gigabytes. */
import { join } from "@std/path";
import type { Drained, DrainInput } from "../agent/drain.ts";
import { type Bench, type Finding, ratio, sizeOf } from "../bench.ts";
import { curlMs } from "../peers.ts";
import { runOwn } from "../programs.ts";
import { compare, median } from "../rounds.ts";

/** Measures speed beside curl's, and memory above the idle agent's. */
export async function measureLarge(bench: Bench): Promise<Finding[]> {
  const { peers: { curl }, scale: { largeBytes, rounds } } = bench;
  const what = sizeOf(largeBytes);
  bench.tell(`Delivering one capture of ${what}`);
  const server = bench.receiver.url;
  const [small] = bench.makeFiles(1, 2048);
  // Of zeros, so that it takes no room itself.
  const large = join(bench.newDir(), "recording.mkv");
  Deno.createSync(large).close();
  Deno.truncateSync(large, largeBytes);
  const work = { server, paths: [small!, large], warmUp: 1, concurrency: 4 };
  const grownMb: number[] = [];
  const speedOf = (ms: number) => largeBytes / ms / 1000;
  const deliver = async (dataDir: string) => {
    const input: DrainInput = { dataDir, ...work };
    const { ms, grownBytes } = await runOwn<Drained>("agent/drain.ts", input);
    grownMb.push(grownBytes / 1e6);
    return speedOf(ms);
  };
  const speeds = await compare([
    { name: "agent", turn: () => bench.inDir(deliver) },
    {
      name: "curl",
      turn: curl && (async () => speedOf(await curlMs(curl, server, large))),
    },
  ], rounds);
  return [
    ...ratio(`${what}: the agent / curl`, [
      speeds.get("agent"),
      speeds.get("curl"),
    ], { unit: "MB/s", atLeast: 0.7 }),
    {
      what: `${what}: peak memory above the idle agent's`,
      value: median(grownMb),
      unit: "MB",
      atMost: 40,
      detail: `${grownMb.map((mb) => mb.toFixed(0)).join(", ")} MB`,
    },
  ];
}
