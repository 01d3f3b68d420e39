import { assert, assertEquals, fail } from "@std/assert";
import { Campaign, describeTally, describeViolation } from "./campaign.ts";
import {
  IMPOSTORS,
  KILLED_WHILE_WATCHING,
  METADATA_FIRST,
  OVERWRITTEN,
  RECORDER_THAT_PAUSES,
  SIDECAR_FROM_THE_FUTURE,
  TWINS,
} from "./histories.ts";
import { MUTANTS, SLOW_HAND_OVER } from "./mutants.ts";
import { Program } from "./program.ts";

/** How long rounds are begun, in milliseconds. */
const SHORT_RUN_MS = 15_000;

/** How long a mutant has to deliver what it will not, in milliseconds. */
const MUTANT_DRAIN_MS = 5_000;

// Windows knows neither SIGSTOP nor a SIGTERM that can be heard.
const ignore = Deno.build.os === "windows";

Deno.test({
  name:
    "Every acknowledged capture arrives exactly once through kills, outages, full disks and clock changes",
  ignore,
  async fn() {
    await using program = Program.copy();
    await using campaign = await Campaign.prepare(program);
    const violation = await campaign.play({
      seed: 1,
      events: 60,
      forMs: SHORT_RUN_MS,
      shrinkMs: 120_000,
    });
    if (violation) fail(describeViolation(violation));
    console.log(describeTally(campaign.total));
  },
});

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
  name: "A watched file and its sidecar from the future are delivered now",
  ignore,
  async fn() {
    await using program = Program.copy();
    await using campaign = await Campaign.prepare(program);
    if (!campaign.abilities.canSetClock) return;
    assertEquals(await campaign.replay(SIDECAR_FROM_THE_FUTURE), []);
  },
});

/** What the chaos run says, among other things, of a program that lacks something. */
const FOUND = {
  "the idempotency key": /arrived (twice|as)/,
  "the commit of a delivery": /captures failed: .*gone/,
  "the copy in the spool": /captures failed: .*(gone|changed)/,
} satisfies Partial<Record<keyof typeof MUTANTS, RegExp>>;

for (const [name, fault] of Object.entries(FOUND)) {
  Deno.test({
    name: `The chaos run finds out a program without ${name}`,
    ignore,
    async fn() {
      const edit = MUTANTS[name as keyof typeof FOUND];
      await using program = Program.copy([edit]);
      await using campaign = await Campaign.prepare(program, {
        drainMs: MUTANT_DRAIN_MS,
      });
      const violation = await campaign.play({
        seed: 1,
        events: 30,
        forMs: SHORT_RUN_MS,
        shrinkMs: 0,
      });
      assert(violation, "expected a violation");
      assert(
        violation.faults.some((text) => fault.test(text)),
        `expected ${fault}, found:\n${violation.faults.join("\n")}`,
      );
    },
  });
}

Deno.test({
  name:
    "Killed agents find out a program without the look through the spool before the folders",
  ignore,
  async fn() {
    const edit = MUTANTS["the look through the spool before the folders"];
    await using program = Program.copy([edit, SLOW_HAND_OVER]);
    await using campaign = await Campaign.prepare(program);
    const faults = await campaign.replay(KILLED_WHILE_WATCHING);
    assert(
      faults.some((text) => /arrived twice/.test(text)),
      faults.join("\n"),
    );
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
