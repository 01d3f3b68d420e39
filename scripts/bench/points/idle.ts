/** Point 7: what an agent costs that has nothing to do, and how soon it begins. */
import { delay } from "@std/async/delay";
import { dirname, join } from "@std/path";
import type { Bench, Finding, Measured } from "../bench.ts";
import { AS_COMPILED, programArgs, run, runProgram } from "../children.ts";
import { median } from "../rounds.ts";

const LOOK_MS = 100;
/** By then it has given back what delivering took, which it does once, some seconds later. */
const TIDY_MS = 12_000;
const DEADLINE_MS = 600_000;

/** Measures CPU, memory and the time until a capture leaves, of the real program. */
export async function measureIdle(bench: Bench): Promise<Measured> {
  const { idleFiles, idleSeconds, handovers } = bench.scale;
  bench.tell(`Letting the agent take over a folder of ${idleFiles} files`);
  const files = bench.makeFiles(idleFiles, 100);
  const dataDir = join(bench.newDir(), "data");
  const server = bench.receiver.url;
  await bench.receiver.take();
  const executable = await bench.executable();
  const how = executable ? "the executable" : "from source";
  const agent = new Deno.Command(executable ?? Deno.execPath(), {
    args: [
      ...executable ? [] : programArgs("main.ts", AS_COMPILED),
      "run",
      `--data-dir=${dataDir}`,
      `--server=${server}`,
      `--watch=${dirname(files[0]!)}`,
      "--settle=0.1",
    ],
    // As its unit does.
    env: { MALLOC_ARENA_MAX: "1" },
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const started = performance.now();
    await delivered(bench, files.length);
    const takenMs = performance.now() - started;
    await delay(idleSeconds < 1 ? 0 : TIDY_MS);
    const findings: Finding[] = [];
    if (Deno.build.os === "linux") {
      bench.tell(`Watching it do nothing for ${idleSeconds} s`);
      findings.push(...await observe(agent.pid, bench, how));
    }
    bench.tell("Handing captures over to it");
    const waits = await runProgram<number[]>("agent/handover.ts", {
      dataDir,
      server,
      path: files[0]!,
      count: handovers,
    });
    findings.push({
      point: 7,
      what: "from another process's enqueue to the server, median",
      value: median(waits),
      unit: "ms",
      atMost: 100,
      detail: `${waits.map((ms) => ms.toFixed(0)).join(", ")} ms`,
    }, {
      point: 7,
      what: "the first look at the folder, all delivered",
      value: files.length / takenMs * 1000,
      unit: "captures/s",
      detail: `${how}, start included`,
    });
    return { findings };
  } finally {
    agent.kill("SIGTERM");
    await agent.status;
  }
}

async function delivered(bench: Bench, count: number): Promise<void> {
  const until = performance.now() + DEADLINE_MS;
  let seen = 0;
  while (seen < count) {
    seen += (await bench.receiver.take()).captures;
    if (performance.now() > until) {
      throw new Error(`The agent delivered ${seen} of ${count} captures`);
    }
    await delay(LOOK_MS);
  }
}

async function observe(
  pid: number,
  bench: Bench,
  how: string,
): Promise<Finding[]> {
  const { idleSeconds, idleFiles } = bench.scale;
  const ticksPerSecond = Number(await run("getconf", ["CLK_TCK"]));
  const before = cpuTicks(pid);
  const start = performance.now();
  await delay(idleSeconds * 1000);
  const seconds = (performance.now() - start) / 1000;
  const busy = (cpuTicks(pid) - before) / ticksPerSecond;
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  const resident = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024;
  return [{
    point: 7,
    what: `one core, watching ${idleFiles} files, for ${idleSeconds} s`,
    value: busy / seconds * 100,
    unit: "%",
    atMost: 0.2,
    detail: `${busy.toFixed(2)} s of CPU` +
      (idleSeconds < 600 ? "; --long sees the rescans too" : ""),
  }, {
    point: 7,
    what: `memory, watching ${idleFiles} files`,
    value: resident / 1e6,
    unit: "MB",
    atMost: 64 * 1.048576,
    detail: `resident, after it has delivered all of them; ${how}`,
  }];
}

/** The user's and the system's time of a process, from Linux's `stat` line. */
function cpuTicks(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name, in brackets, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
