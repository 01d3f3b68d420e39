/** How long the program takes to start, beside an empty one. */
import { join } from "@std/path";
import { syncFile } from "../../sync/host/files.ts";
import { bindingFlags, projectPath } from "../task/bindings.ts";
import type { Bench, Finding } from "./bench.ts";
import { run, runProgram } from "./children.ts";
import { compileSource } from "./executable.ts";
import { compare } from "./rounds.ts";

/** So many captures have been queued before the first start. */
const IN_USE = 1000;
/** Starts are short, and differ by a third among themselves. */
const STARTS_A_ROUND = 9;

/**
 * Returns another copy of an executable: by how the system happens to hold a file
 * in memory, its start differs by a tenth for as long as the file is there.
 */
function copyOf(program: string, dir: string): string {
  const copy = Deno.makeTempFileSync({ dir });
  Deno.copyFileSync(program, copy);
  // What is written behind would slow down what is synced.
  syncFile(copy);
  return copy;
}

/**
 * Compares the start of `enqueue` with the start of an empty program: both
 * compiled where `deno compile` works, else both from source.
 */
export async function compareStarts(bench: Bench): Promise<Finding[]> {
  const dir = bench.newDir();
  const [file] = bench.makeFiles(1, 2048);
  const empty = join(dir, "empty.ts");
  await Deno.writeTextFile(empty, "export {};\n");
  const agent = projectPath("main.ts");
  const flags = { agent: bindingFlags(), empty: ["--no-config", "--no-lock"] };
  const built = await bench.executable();
  const executables = built && await compileSource(join(dir, "empty"), empty)
    ? { agent: built, empty: join(dir, "empty") }
    : undefined;
  const command = (name: "agent" | "empty", source: string) =>
    executables
      ? [executables[name]]
      : [Deno.execPath(), "run", "-A", "--quiet", ...flags[name], source];
  const timed = ([program = "", ...args]: string[], more: string[]) => {
    let turns = 0;
    let copy = program;
    return {
      turn: async () => {
        if (executables && turns++ % STARTS_A_ROUND === 0) {
          if (copy !== program) Deno.removeSync(copy);
          copy = copyOf(program, dir);
        }
        const start = performance.now();
        await run(copy, [...args, ...more]);
        return performance.now() - start;
      },
    };
  };
  const dataDir = join(dir, "data");
  const enqueue = ["enqueue", `--data-dir=${dataDir}`, file!];
  const own = command("agent", agent);
  // As on a host that has been in use: the spool has its folders.
  const paths = bench.makeFiles(IN_USE, 100);
  await runProgram("agent/fill.ts", { dataDir, paths });
  const rounds = bench.scale.rounds * STARTS_A_ROUND;
  const times = await compare([
    { name: "enqueue", ...timed(own, enqueue) },
    { name: "help", ...timed(own, ["--help"]) },
    { name: "empty", ...timed(command("empty", empty), []) },
  ], rounds);
  const [enqueued, help, other] = ["enqueue", "help", "empty"]
    .map((name) => times.get(name)!) as [number, number, number];
  const how = executables
    ? "compiled"
    : "from source (compile does not work here)";
  return [{
    point: 5,
    what: `start of "enqueue" / of an empty program, ${how}`,
    value: enqueued / other,
    unit: "×",
    atMost: 1.5,
    detail: `${enqueued.toFixed(0)} ms / ${other.toFixed(0)} ms; "--help" ${
      help.toFixed(0)
    } ms`,
  }];
}
