import { assert, assertEquals } from "@std/assert";
import { Campaign } from "./campaign.ts";
import { KILLED_WHILE_WATCHING } from "./histories.ts";
import { MUTANTS, SLOW_HAND_OVER } from "./mutants.ts";
import { Program } from "./program.ts";

// Windows knows neither SIGSTOP nor a SIGTERM that can be heard.
const ignore = Deno.build.os === "windows";

Deno.test({
  name: "A watched file is delivered once though agents are killed over it",
  ignore,
  async fn() {
    await using program = Program.copy([SLOW_HAND_OVER]);
    await using campaign = await Campaign.prepare(program);
    assertEquals(await campaign.replay(KILLED_WHILE_WATCHING), []);
  },
});

Deno.test({
  name:
    "Killed agents find out a program without the look through the spool before the folders",
  ignore,
  async fn() {
    const edit = MUTANTS["the look through the spool before the folders"];
    await using program = Program.copy([edit, SLOW_HAND_OVER]);
    await using campaign = await Campaign.prepare(program);
    const faults: string[] = [];
    // It takes a kill at the right moment, which a busy machine may miss.
    for (let n = 0; n < 5 && !faults.some(isRepetition); n++) {
      faults.push(...await campaign.replay(KILLED_WHILE_WATCHING));
    }
    assert(faults.some(isRepetition), faults.join("\n"));
  },
});

function isRepetition(fault: string): boolean {
  return fault.includes("arrived twice");
}
