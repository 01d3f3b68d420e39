/** One capture of gigabytes. */
import { join } from "@std/path";
import type { Drained, DrainInput } from "../agent/drain.ts";
import { type Bench, type Finding, ratio, sizeOf } from "../bench.ts";
import { curlSpeed } from "../peers.ts";
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
  const grown: number[] = [];
  const speeds = await compare([
    {
      name: "agent",
      turn: () =>
        bench.inDir(async (dataDir) => {
          const { ms, grownBytes } = await runOwn<Drained>(
            "agent/drain.ts",
            {
              server,
              dataDir,
              paths: [small!, large],
              warmUp: 1,
              concurrency: 4,
            } satisfies DrainInput,
          );
          grown.push(grownBytes / 1e6);
          return largeBytes / ms / 1000;
        }),
    },
    ...curl
      ? [{
        name: "curl",
        turn: async () => await curlSpeed(curl, server, large) / 1e6,
      }]
      : [],
  ], rounds);
  return [
    ...ratio(`${what}: the agent / curl`, [
      speeds.get("agent"),
      speeds.get("curl"),
    ], { unit: "MB/s", atLeast: 0.7 }),
    {
      what: `${what}: peak memory above the idle agent's`,
      value: median(grown),
      unit: "MB",
      atMost: 40,
      detail: `${grown.map((mb) => mb.toFixed(0)).join(", ")} MB`,
    },
  ];
}
