import { assert, fail } from "@std/assert";
import { Campaign, describeTally, describeViolation } from "./campaign.ts";
import { MUTANT_DRAIN_MS, MUTANTS } from "./mutants.ts";
import { Program } from "./program.ts";

/** How long rounds are begun, in milliseconds. */
const SHORT_RUN_MS = 15_000;

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
