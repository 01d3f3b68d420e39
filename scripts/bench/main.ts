/**
 * The task `bench`: measures the product beside its alternatives.
 *
 * Prints a table, and writes the same as Markdown and JSON.
 */
import { parseArgs } from "@std/cli/parse-args";
import { join } from "@std/path";
import { refuseUnknown, runProgram, UsageError } from "../program.ts";
import { projectPath } from "../task/bindings.ts";
import { type Bench, type Finding, openBench } from "./bench.ts";
import { measureBacklog } from "./points/backlog.ts";
import { measureCold } from "./points/cold.ts";
import { measureEnqueueing } from "./points/enqueueing.ts";
import { measureFleet } from "./points/fleet.ts";
import { measureIdle } from "./points/idle.ts";
import { measureLarge } from "./points/large.ts";
import { measureLatency } from "./points/latency.ts";
import { measureWarm } from "./points/warm.ts";
import { formatTable, isReached } from "./report.ts";
import { type Scale, SCALES } from "./scale.ts";

/** In the order in which they are measured and shown. */
const POINTS: Readonly<Record<string, (bench: Bench) => Promise<Finding[]>>> = {
  cold: measureCold,
  warm: measureWarm,
  latency: measureLatency,
  large: measureLarge,
  enqueue: measureEnqueueing,
  backlog: measureBacklog,
  idle: measureIdle,
  fleet: measureFleet,
};

const HELP = `Usage: deno task bench [options]

Measures the agent beside the first design in Python (with httpx), curl, bare
fetch and a C program, as far as they are installed. Everything stays on this
machine. Needs a C compiler.

  --quick        less of everything, in some minutes
  --only P,P     only these points: ${Object.keys(POINTS).join(", ")}
  --out DIR      where the table and the JSON go (default: docs/bench; with
                 --quick or --only a new temporary folder)
  --python FILE  the Python of the first design (default: python3)
`;

/** Options for {@linkcode runBench}. */
export interface BenchOptions {
  scale: Scale;
  /** The points to measure. @default {all} */
  only?: readonly string[];
  /** The folder for the results. */
  out: string;
  /** @default {"python3"} */
  python?: string;
  /** Gets a line for each step. */
  tell: (line: string) => void;
}

/** Measures, writes `results.md` and `results.json` into a folder, and returns the table. */
export async function runBench(options: BenchOptions): Promise<string> {
  const { scale, only = Object.keys(POINTS), out, python = "python3", tell } =
    options;
  const findings: (Finding & { point: string })[] = [];
  await using bench = await openBench(scale, { python, tell });
  for (const missing of bench.peers.missing) tell(`Not found: ${missing}`);
  for (const point of only) {
    const found = await POINTS[point]!(bench);
    findings.push(...found.map((finding) => ({ point, ...finding })));
  }
  const surroundings = {
    scale: scale.name,
    rounds: scale.rounds,
    date: new Date().toISOString().slice(0, 10),
    agent: bench.agent.how,
    deno: Deno.version.deno,
    // The vendor's build number is left out.
    os: `${Deno.build.os} ${Deno.osRelease().split(".").slice(0, 2).join(".")}`,
    cores: navigator.hardwareConcurrency,
    missing: bench.peers.missing,
  };
  const table = formatTable(findings);
  const said = Object.entries(surroundings)
    .map(([name, value]) => `- ${name}: ${value}\n`).join("");
  const rounded = findings.map((finding) => ({
    ...finding,
    value: Number(finding.value.toPrecision(4)),
    reached: isReached(finding),
  }));
  const json = JSON.stringify({ ...surroundings, findings: rounded }, null, 2);
  await Deno.mkdir(out, { recursive: true });
  await Deno.writeTextFile(join(out, "results.json"), `${json}\n`);
  await Deno.writeTextFile(
    join(out, "results.md"),
    `# What was measured\n\n${said}\n${table}\n`,
  );
  return table;
}

async function main(given: string[]): Promise<number> {
  const args = parseArgs(given, {
    boolean: ["quick"],
    string: ["only", "out", "python"],
    unknown: refuseUnknown,
  });
  const only = args.only?.split(",");
  const wrong = only?.find((point: string) => !Object.hasOwn(POINTS, point));
  if (wrong !== undefined) {
    throw new UsageError(
      `Cannot measure "${wrong}": expected one of ${
        Object.keys(POINTS).join(", ")
      }`,
    );
  }
  const out = args.out ??
    (args.quick || only
      ? await Deno.makeTempDir({ prefix: "jarvis-bench-results-" })
      : projectPath("docs/bench"));
  const table = await runBench({
    scale: args.quick ? SCALES.quick : SCALES.full,
    ...(only && { only }),
    ...(args.python && { python: args.python }),
    out,
    tell: (line) => console.error(line),
  });
  console.log(table);
  console.error(`The table and its figures as JSON are in "${out}"`);
  return 0;
}

if (import.meta.main) await runProgram(HELP, main);
