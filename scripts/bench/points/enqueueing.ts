/** Point 5: how fast captures are handed over, and how fast the program starts. */
import { basename, dirname, join } from "@std/path";
import type { Bench, Finding, Measured } from "../bench.ts";
import { runProgram } from "../children.ts";
import { commitsInC } from "../peers.ts";
import { compare } from "../rounds.ts";
import { compareStarts } from "../starts.ts";

/** Measures rows per second beside a C program's, and the start of the CLI. */
export async function measureEnqueueing(bench: Bench): Promise<Measured> {
  const { scale: { rows, rounds, watchedFiles }, peers } = bench;
  bench.tell("Handing captures over");
  const paths = bench.makeFiles(Math.ceil(rows / 5), 2048);
  const watched = bench.makeFiles(watchedFiles, 100);
  const elsewhere = copyElsewhere(paths);
  const own = (how: string, handed = paths) => () =>
    bench.inDir(async (dataDir) => {
      const { captures, ms } = await runProgram<
        { captures: number; ms: number }
      >("agent/enqueue.ts", {
        dataDir,
        how,
        rows: how === "batch" ? rows * 10 : rows,
        paths: how === "spool" ? handed : [],
        folder: dirname(watched[0]!),
      });
      return captures / ms * 1000;
    });
  const inC = (batch: number) => () =>
    bench.inDir((dir) =>
      commitsInC(peers.commits!, {
        database: join(dir, "queue.db"),
        rows: batch === 1 ? rows : rows * 10,
        batch,
      })
    );
  const rates = await compare([
    { name: "row", turn: own("row") },
    ...peers.commits ? [{ name: "C row", turn: inC(1) }] : [],
    { name: "batch", turn: own("batch") },
    { name: "watch", turn: own("watch") },
    ...peers.commits ? [{ name: "C batch", turn: inC(100) }] : [],
    { name: "linked", turn: own("spool") },
    ...elsewhere ? [{ name: "copied", turn: own("spool", elsewhere) }] : [],
  ], rounds);
  if (elsewhere) await Deno.remove(dirname(elsewhere[0]!), { recursive: true });
  const ratio = (
    what: string,
    [name, peer]: [string, string],
    atLeast: number,
  ): Finding[] => {
    const [value, other] = [rates.get(name)!, rates.get(peer)];
    if (other === undefined) return [];
    const detail = `${Math.round(value)}/s / ${Math.round(other)}/s`;
    return [{
      point: 5,
      what,
      value: value / other,
      unit: "×",
      atLeast,
      detail,
    }];
  };
  return {
    findings: [
      ...ratio("enqueue(), row by row / C", ["row", "C row"], 0.8),
      ...ratio("enqueueMany(), 100 each / C", ["batch", "C batch"], 0.7),
      ...ratio(`a folder of ${watchedFiles} files / C in batches of 100`, [
        "watch",
        "C batch",
      ], 0.7),
      ...["linked", "copied"].filter((name) => rates.has(name)).map((name) => ({
        point: 5,
        what: `a file of 2 KiB, ${name} into the spool`,
        value: rates.get(name)!,
        unit: "captures/s",
        detail:
          "the bytes, their names and the row are synced, each capture by itself",
      })),
      ...await compareStarts(bench),
    ],
  };
}

/** The files again, on another file system: from there they cannot be linked. */
function copyElsewhere(paths: readonly string[]): string[] | undefined {
  try {
    const dir = Deno.makeTempDirSync({ dir: "/dev/shm" });
    return paths.map((path) => {
      const copy = join(dir, basename(path));
      Deno.copyFileSync(path, copy);
      return copy;
    });
  } catch {
    // Not on this system.
    return undefined;
  }
}
