import { assert, assertEquals } from "@std/assert";
import { projectPath } from "../../scripts/task/bindings.ts";
import { MUTANTS } from "../chaos/mutants.ts";
import { Program } from "../chaos/program.ts";
import { canCompile, compileLibrary } from "../helpers/compile_library.ts";
import {
  cutAtEverySync,
  type ScenarioName,
  SCENARIOS,
} from "../power_cut/scenarios.ts";
import { TempDir } from "../helpers/temp_dir.ts";

// What loses what was not synced is a library for Linux, in C.
const ignore = !await canCompile();
if (ignore) {
  console.log(
    "Power cuts are left out: no C compiler for this processor, or no Linux",
  );
}

/** Yields what is wrong with what is delivered after power cuts at every sync. */
async function* cutAll(
  scenario: ScenarioName,
  program: Program,
): AsyncGenerator<string> {
  await using dir = new TempDir();
  const library = dir.join("power_cut.so");
  const source = projectPath("tests/power_cut/power_cut.c");
  await compileLibrary(source, library);
  yield* cutAtEverySync(scenario, { program, library });
}

for (const scenario of Object.keys(SCENARIOS) as ScenarioName[]) {
  Deno.test({
    name: `A power cut loses nothing acknowledged while ${scenario}`,
    ignore,
    async fn() {
      await using program = Program.copy();
      assertEquals(await Array.fromAsync(cutAll(scenario, program)), []);
    },
  });
}

const FOUND_WHILE = {
  "the sync of a capture's bytes": "captures are copied into the spool",
  "the sync of the spool's names": "captures are copied into the spool",
  "the sync of the spool's records":
    "captures are copied into the spool, and then the queue is lost",
  "the sync of a commit": "captures are queued in place",
} satisfies Partial<Record<keyof typeof MUTANTS, ScenarioName>>;

for (const [name, scenario] of Object.entries(FOUND_WHILE)) {
  Deno.test({
    name: `Power cuts find out a program without ${name}`,
    ignore,
    async fn() {
      const edit = MUTANTS[name as keyof typeof FOUND_WHILE];
      await using program = Program.copy([edit]);
      let found: string | undefined;
      for await (const fault of cutAll(scenario, program)) {
        found = fault;
        break;
      }
      assert(found, "expected something acknowledged to be lost");
    },
  });
}
