import { assert, assertEquals } from "@std/assert";
import { canCompile } from "../helpers/compile_library.ts";
import { Campaign } from "./campaign.ts";
import {
  IMPOSTORS,
  METADATA_AFTER,
  METADATA_FIRST,
  OVERWRITTEN,
  RECORDER_THAT_PAUSES,
  SIDECAR_FROM_THE_FUTURE,
  TWINS,
} from "./histories.ts";
import { MUTANT_DRAIN_MS, MUTANTS } from "./mutants.ts";
import { Program } from "./program.ts";

// Windows knows neither SIGSTOP nor a SIGTERM that can be heard.
const ignore = Deno.build.os === "windows";

Deno.test({
  name: "A watched file and its sidecar from the future are delivered now",
  // The clock is set by a library that is compiled.
  ignore: ignore || !await canCompile(),
  async fn() {
    await using program = Program.copy();
    await using campaign = await Campaign.prepare(program);
    assertEquals(await campaign.replay(SIDECAR_FROM_THE_FUTURE), []);
  },
});

/** Histories that break a promise of a program which lacks something, and of no other. */
const HISTORIES = [
  {
    history: OVERWRITTEN,
    name: "a file that is written over",
    without: "a copy of its own instead of a link",
    fault: /captures failed: .*changed/,
  },
  {
    history: RECORDER_THAT_PAUSES,
    name: "a recorder that pauses",
    without: "the question who writes a file",
    fault: /that no maker has finished/,
  },
  {
    history: TWINS,
    name: "another file of the same name, size and time",
    without: "the look at the content of a file in doubt",
    fault: /captures were lost/,
  },
  {
    history: METADATA_FIRST,
    name: "metadata that comes first",
    without: "the patience of metadata without its capture",
    fault: /that no maker has finished/,
  },
  {
    history: METADATA_AFTER,
    name: "metadata that follows",
    without: "the patience of what is renamed for its metadata",
    fault: /arrived without the metadata/,
  },
  {
    history: IMPOSTORS,
    name: "servers that say 200 to everything",
    without: "the id as the proof of a delivery",
    fault: /captures were lost/,
  },
] satisfies {
  without: keyof typeof MUTANTS;
  [rest: string]: unknown;
}[];

for (const { history, name, without, fault } of HISTORIES) {
  Deno.test({
    name:
      `Nothing is lost or torn by ${name}, but by a program without ${without}`,
    ignore,
    async fn() {
      for (const edits of [[], [MUTANTS[without]]]) {
        await using program = Program.copy(edits);
        await using campaign = await Campaign.prepare(program, {
          ...(edits.length > 0 && { drainMs: MUTANT_DRAIN_MS }),
        });
        const faults = await campaign.replay(history);
        if (edits.length === 0) assertEquals(faults, []);
        else {
          assert(
            faults.some((text) => fault.test(text)),
            `expected ${fault}, found:\n${faults.join("\n")}`,
          );
        }
      }
    },
  });
}
