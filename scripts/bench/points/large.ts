/** Point 4: one capture of gigabytes, and one of megabytes. */
import type { Drained } from "../agent/drain.ts";
import type { Bench, Finding, Measured } from "../bench.ts";
import { AS_COMPILED, runProgram } from "../children.ts";
import { curlSpeed } from "../peers.ts";
import { compare, median } from "../rounds.ts";

const MIB = 1024 * 1024;

/** Measures speed beside curl's, and memory above the idle agent's. */
export async function measureLarge(bench: Bench): Promise<Measured> {
  const { largeBytes, rounds } = bench.scale;
  const { curl } = bench.peers;
  bench.tell(`Delivering one capture of ${largeBytes / MIB} MiB`);
  const small = bench.makeFiles(1, 2048);
  const large = bench.makeHugeFile(largeBytes);
  const memory: number[] = [];
  const speeds = await compare([
    {
      name: "agent",
      turn: async () => {
        const drained = await deliver(bench, [...small, large]);
        memory.push(grown(drained));
        return largeBytes / drained.ms * 1000;
      },
    },
    ...curl
      ? [{
        name: "curl",
        turn: () => curlSpeed(curl, bench.receiver.url, large),
      }]
      : [],
  ], rounds);
  const ofSmaller: number[] = [];
  const [smaller] = bench.makeFiles(1, 4 * MIB);
  for (let round = 0; round < rounds; round++) {
    ofSmaller.push(grown(await deliver(bench, [...small, smaller!])));
  }
  const findings = [
    memoryFinding(`${largeBytes / MIB} MiB`, memory),
    memoryFinding("4 MiB", ofSmaller),
  ];
  const own = speeds.get("agent")!;
  const other = speeds.get("curl");
  if (other !== undefined) {
    findings.unshift({
      point: 4,
      what: `${largeBytes / MIB} MiB: the agent / curl`,
      value: own / other,
      unit: "×",
      atLeast: 0.7,
      detail: `${Math.round(own / 1e6)} MB/s / ${Math.round(other / 1e6)} MB/s`,
    });
  }
  return { findings };
}

function deliver(bench: Bench, paths: string[]): Promise<Drained> {
  return bench.inDir((dataDir) =>
    runProgram("agent/drain.ts", {
      server: bench.receiver.url,
      dataDir,
      paths,
      warmUp: paths.length - 1,
      concurrency: 4,
    }, AS_COMPILED)
  );
}

function grown({ idleBytes, peakBytes }: Drained): number {
  return (peakBytes - idleBytes) / 1e6;
}

function memoryFinding(size: string, figures: number[]): Finding {
  return {
    point: 4,
    what: `${size}: peak memory above the idle agent's`,
    value: median(figures),
    unit: "MB",
    atMost: 40,
    detail: `${figures.map((mb) => mb.toFixed(0)).join(", ")} MB`,
  };
}
