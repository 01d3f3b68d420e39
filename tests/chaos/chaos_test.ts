import { fail } from "@std/assert";
import { Campaign, describeTally, describeViolation } from "./campaign.ts";
import { Program } from "./program.ts";

/** How long rounds are begun, in milliseconds. */
const SHORT_RUN_MS = 25_000;

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
