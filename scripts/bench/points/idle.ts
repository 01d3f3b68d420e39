/** The CPU time and memory of an idle agent, and how soon it begins to work. */
import { delay } from "@std/async/delay";
import { dirname, join } from "@std/path";
import { memoryOf } from "../../process_memory.ts";
import type { Bench, Finding } from "../bench.ts";
import { run } from "../programs.ts";
import { median } from "../rounds.ts";

const LOOK_MS = 20;
/** By then it has given back the memory of the delivery, which it does once, some seconds later. */
const TIDY_MS = 12_000;
const DEADLINE_MS = 600_000;

/** Measures CPU, memory and the time until a capture leaves, of the real program. */
export async function measureIdle(bench: Bench): Promise<Finding[]> {
  const { agent, receiver, scale: { idleFiles, idleSeconds } } = bench;
  bench.tell(`Letting the agent take over a folder of ${idleFiles} files`);
  const files = bench.makeFiles(idleFiles, 100);
  const dataDir = `--data-dir=${join(bench.newDir(), "data")}`;
  const options = [dataDir, `--server=${receiver.url}`, "--settle=0.1"];
  await receiver.take();
  const started = performance.now();
  const child = new Deno.Command(agent.command, {
    args: [...agent.args, "run", ...options, `--watch=${dirname(files[0]!)}`],
    // As its unit does.
    env: { MALLOC_ARENA_MAX: "1" },
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await receive(bench, files.length);
    const rate = files.length / (performance.now() - started) * 1000;
    const findings: Finding[] = [{
      what: "a folder's first files, taken over and delivered",
      value: rate,
      unit: "captures/s",
      detail: `${agent.how}, its start included`,
    }];
    if (Deno.build.os === "linux") {
      await delay(idleSeconds < 1 ? 0 : TIDY_MS);
      bench.tell(`Watching it do nothing for ${idleSeconds} s`);
      findings.unshift(...await observe(child.pid, bench));
    }
    bench.tell("Handing captures over to it");
    return [...findings, await measureHandover(bench, dataDir, files[0]!)];
  } finally {
    child.kill("SIGTERM");
    await child.status;
  }
}

/** Waits until the server has so many captures, and returns when the last one came. */
async function receive(bench: Bench, count: number): Promise<number> {
  const until = performance.now() + DEADLINE_MS;
  for (let seen = 0;;) {
    const { captures, lastStartedMs } = await bench.receiver.take();
    seen += captures;
    if (seen >= count) return lastStartedMs;
    if (performance.now() > until) {
      throw new Error(`The agent delivered ${seen} of ${count} captures`);
    }
    await delay(LOOK_MS);
  }
}

async function observe(pid: number, bench: Bench): Promise<Finding[]> {
  const { agent, scale: { idleSeconds, idleFiles } } = bench;
  const ticksPerSecond = Number(await run("getconf", ["CLK_TCK"]));
  const before = cpuTicks(pid);
  const start = performance.now();
  await delay(idleSeconds * 1000);
  const seconds = (performance.now() - start) / 1000;
  const busy = (cpuTicks(pid) - before) / ticksPerSecond;
  return [{
    what: `idle, watching ${idleFiles} files: of one core`,
    value: busy / seconds * 100,
    unit: "%",
    atMost: 0.2,
    detail: `${busy.toFixed(2)} s in ${seconds.toFixed(0)} s`,
  }, {
    what: `idle, watching ${idleFiles} files: memory`,
    value: memoryOf(pid, "VmRSS") / 1e6,
    unit: "MB",
    atMost: 80,
    detail: `resident, after it has delivered all of them; ${agent.how}`,
  }];
}

/** The user's and the system's time of a process, from Linux's `stat` line. */
function cpuTicks(pid: number): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  // The name, in brackets, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function measureHandover(
  bench: Bench,
  dataDir: string,
  file: string,
): Promise<Finding> {
  const { command, args } = bench.agent;
  const waits: number[] = [];
  for (let i = 0; i < bench.scale.handovers; i++) {
    // The agent must be idle again, and not in step with this.
    await delay(300 + Math.random() * 1000);
    await run(command, [...args, "enqueue", dataDir, file]);
    const handedOverMs = performance.timeOrigin + performance.now();
    waits.push(Math.max(await receive(bench, 1) - handedOverMs, 0));
  }
  return {
    what: `from the end of "enqueue" to the server, median`,
    value: median(waits),
    unit: "ms",
    atMost: 100,
    detail: `${waits.map((ms) => ms.toFixed(0)).join(", ")} ms`,
  };
}
