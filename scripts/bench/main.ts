/**
 * The task `bench`: measures the product beside what a user would take instead.
 *
 * Prints a table, and writes the same as JSON together with the charts.
 */
import { parseArgs } from "@std/cli/parse-args";
import { join } from "@std/path";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { projectPath } from "../task/bindings.ts";
import { Bench, type Finding, type Measured, type Series } from "./bench.ts";
import { barChart, lineChart } from "./chart.ts";
import { measureBacklog } from "./points/backlog.ts";
import { measureDraining } from "./points/draining.ts";
import { measureEnqueueing } from "./points/enqueueing.ts";
import { measureFleet } from "./points/fleet.ts";
import { measureIdle } from "./points/idle.ts";
import { measureLarge } from "./points/large.ts";
import { measureLatency } from "./points/latency.ts";
import { formatJson, formatTable } from "./report.ts";
import { type Scale, SCALES } from "./scale.ts";

const HELP = `Usage: deno task bench [options]

Measures the agent beside the first design in Python, curl, bare fetch and a C
program, as far as they are installed. Everything stays on this machine.

  --quick        fewer sizes and rounds, in under two minutes
  --long         ten idle minutes and a folder of 100,000 files as well
  --only N,N     only these of the points 1, 3, 4, 5, 6, 7, 8 (2 belongs to 1)
  --out DIR      where JSON and charts go (default: docs/bench; with --quick
                 or --only a new temporary folder)
  --python FILE  the Python of the first design (default: python3)
`;

const POINTS: Readonly<Record<string, (bench: Bench) => Promise<Measured>>> = {
  "1": measureDraining,
  "3": measureLatency,
  "4": measureLarge,
  "5": measureEnqueueing,
  "6": measureBacklog,
  "7": measureIdle,
  "8": measureFleet,
};

/** How {@linkcode runBench} is to go about it. */
export interface BenchOptions {
  scale: Scale;
  /** Which points. @default {all} */
  only?: readonly string[];
  out: string;
  /** @default {"python3"} */
  python?: string;
  /** Gets what is being done. */
  tell: (line: string) => void;
}

/** Measures, writes `results.json` and the charts into a folder, and returns the table. */
export async function runBench(options: BenchOptions): Promise<string> {
  const { scale, only = Object.keys(POINTS), out, python = "python3", tell } =
    options;
  const findings: Finding[] = [];
  const charts: Record<string, Series[]> = {};
  await using bench = await Bench.open(scale, { python, tell });
  for (const missing of bench.peers.missing) tell(`Not found: ${missing}`);
  for (const point of only) {
    const measured = await POINTS[point]!(bench);
    findings.push(...measured.findings);
    Object.assign(charts, measured.charts);
  }
  findings.sort((a, b) => a.point - b.point);
  await Deno.mkdir(out, { recursive: true });
  await Deno.writeTextFile(
    join(out, "results.json"),
    formatJson({
      scale: scale.name,
      rounds: scale.rounds,
      date: new Date().toISOString().slice(0, 10),
      deno: Deno.version.deno,
      // Whose build of it is this machine's business.
      os: `${Deno.build.os} ${
        Deno.osRelease().split(".").slice(0, 2).join(".")
      }`,
      cores: navigator.hardwareConcurrency,
      sqlite: sqliteInUse(),
      missing: bench.peers.missing,
    }, findings),
  );
  for (const [name, series] of Object.entries(charts)) {
    await Deno.writeTextFile(join(out, `${name}.svg`), draw(name, series));
  }
  return formatTable(findings);
}

function draw(name: string, series: Series[]): string {
  switch (name) {
    case "draining":
      return barChart(series, {
        title: "Captures per second, 4 at a time",
      });
    case "latency":
      return lineChart(series, {
        title: "100 KiB captures to a server that takes 20 ms",
        xLabel: "captures at a time",
        yLabel: "captures per second",
      });
    default:
      return lineChart(series, {
        title: "A fleet of agents after an hour without their server",
        xLabel: "seconds since the server is back",
        yLabel: "requests per second",
      });
  }
}

function sqliteInUse(): string {
  using database = openDatabase(":memory:");
  const row = database.prepare("SELECT sqlite_version() AS version").get();
  return `${row?.version} (${database.engine})`;
}

async function main(): Promise<number> {
  const args = parseArgs(Deno.args, {
    boolean: ["quick", "long", "help"],
    string: ["only", "out", "python"],
    unknown: (arg) => {
      throw new RangeError(`Unknown argument "${arg}": see --help`);
    },
  });
  if (args.help) {
    console.log(HELP);
    return 0;
  }
  const only = args.only?.split(",");
  const wrong = only?.find((point: string) => !Object.hasOwn(POINTS, point));
  if (wrong !== undefined) {
    throw new RangeError(
      `Cannot measure point "${wrong}": expected one of ${
        Object.keys(POINTS).join(", ")
      }`,
    );
  }
  const isWhole = !args.quick && !only;
  const out = args.out ??
    (isWhole
      ? projectPath("docs/bench")
      : await Deno.makeTempDir({ prefix: "jarvis-bench-results-" }));
  const table = await runBench({
    scale: args.quick ? SCALES.quick : args.long ? SCALES.long : SCALES.full,
    ...(only && { only }),
    ...(args.python && { python: args.python }),
    out,
    tell: (line) => console.error(line),
  });
  console.log(table);
  console.error(`JSON and charts are in "${out}"`);
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(error.message);
    Deno.exit(2);
  }
}
