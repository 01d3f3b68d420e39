import { runCampaign } from "./campaign.ts";
import { TARGETS } from "./targets.ts";

/** Half a minute for all targets, on a machine that has nothing else to do. */
const SECONDS = 30;
const CASES = 20_000;

for (const target of TARGETS) {
  Deno.test(`random input does not break: ${target.name}`, async () => {
    const shares = TARGETS.reduce((sum, { share }) => sum + share, 0);
    await runCampaign([target], {
      seed: 17,
      cases: Math.ceil(CASES * target.share / shares),
      seconds: SECONDS / TARGETS.length,
    });
  });
}
