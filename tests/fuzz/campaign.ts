import type { Target } from "./target.ts";

/** How long a campaign goes on. */
export interface CampaignOptions {
  seed: number;
  /** In all targets together. */
  cases: number;
  seconds: number;
  /** Is told how far each target is, now and then. */
  onProgress?: (tally: ReadonlyMap<string, number>) => void;
}

/** So many rounds of all targets at least: what is interrupted has tried all. */
const ROUNDS = 10;
/** Cases in a round of all targets, at most. */
const MAX_ROUND = 20_000;

/**
 * Tries random inputs on all targets in turn, each according to its share, until
 * there were enough or the time is over. The same seed gives the same inputs.
 *
 * @returns how many cases each target had
 * @throws {Error} on the first that does not hold.
 */
export async function runCampaign(
  targets: readonly Target[],
  { seed, cases, seconds, onProgress }: CampaignOptions,
): Promise<Map<string, number>> {
  const endMs = performance.now() + seconds * 1000;
  const shares = targets.reduce((sum, { share }) => sum + share, 0);
  const perRound = Math.min(Math.ceil(cases / ROUNDS), MAX_ROUND);
  const tally = new Map(targets.map(({ name }) => [name, 0]));
  for (let done = 0, round = 0; done < cases; round++) {
    for (const { name, share, run } of targets) {
      if (performance.now() >= endMs && round > 0) return tally;
      const count = Math.ceil(perRound * share / shares);
      const withExamples = round === 0;
      const tried = await run({ count, seed: seed + round, withExamples });
      tally.set(name, tally.get(name)! + tried);
      done += tried;
    }
    onProgress?.(tally);
  }
  return tally;
}

/** The table of how many cases there were. */
export function describeTally(tally: ReadonlyMap<string, number>): string {
  const all = [...tally.values()].reduce((sum, count) => sum + count, 0);
  return [...tally, ["in all", all] as const]
    .map(([name, count]) =>
      `${count.toLocaleString("en").padStart(12)}  ${name}`
    )
    .join("\n");
}
