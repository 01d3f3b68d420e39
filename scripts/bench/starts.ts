/** How long the program takes to start, beside an empty one. */
import { join } from "@std/path";
import { bindingFlags, projectPath } from "../bindings.ts";
import type { Bench, Finding } from "./bench.ts";
import { programArgs, run } from "./children.ts";
import { compare } from "./rounds.ts";

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
  const isCompiled = bench.scale.name !== "tiny" &&
    await compileBoth(dir, empty);
  const command = (name: "agent" | "empty", source: string) =>
    isCompiled
      ? [join(dir, name)]
      : [Deno.execPath(), "run", "-A", "--quiet", ...flags[name], source];
  const timed = ([program = "", ...args]: string[], more: string[]) => ({
    turn: async () => {
      const start = performance.now();
      await run(program, [...args, ...more]);
      return performance.now() - start;
    },
  });
  const enqueue = ["enqueue", `--data-dir=${join(dir, "data")}`, file!];
  const own = command("agent", agent);
  // The first start of each fills caches that later ones find full.
  const rounds = bench.scale.rounds * 2 + 1;
  const times = await compare([
    { name: "enqueue", ...timed(own, enqueue) },
    { name: "help", ...timed(own, ["--help"]) },
    { name: "empty", ...timed(command("empty", empty), []) },
  ], rounds);
  const [enqueued, help, other] = ["enqueue", "help", "empty"]
    .map((name) => times.get(name)!) as [number, number, number];
  const how = isCompiled
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

/** Builds `agent`, as users get it, and `empty`; returns whether that works here. */
async function compileBoth(dir: string, empty: string): Promise<boolean> {
  const deno = Deno.env.get("DENO_FOR_COMPILE") ?? Deno.execPath();
  const [agent, other] = [join(dir, "agent"), join(dir, "empty")];
  try {
    await run(Deno.execPath(), [
      ...programArgs("scripts/compile.ts"),
      `--output=${agent}`,
    ]);
    const flags = ["-A", "--quiet", "--no-config", "--no-code-cache"];
    await run(deno, ["compile", ...flags, "--output", other, empty]);
    return true;
  } catch {
    // It downloads a part of itself, which some networks do not let through.
    return false;
  }
}
