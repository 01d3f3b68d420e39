import { delay } from "@std/async/delay";
import { perform } from "./events.ts";
import { describeEvent, type Schedule } from "./schedule.ts";
import { settle } from "./settle.ts";
import { type Stage, type Tally, World } from "./world.ts";

/** How a round ended. */
export interface RoundResult {
  /** What went wrong, in words; empty if every promise was kept. */
  faults: string[];
  tally: Tally;
}

/** How many events may be under way at a time. */
const MAX_UNDER_WAY = 6;

/** Plays a schedule, with all trouble at its times, and holds the program to its promises. */
export async function playRound(
  schedule: Schedule,
  stage: Stage,
): Promise<RoundResult> {
  await using world = await World.make(schedule, stage);
  const underWay = new Set<Promise<void>>();
  for (const event of schedule.events) {
    if (stage.signal?.aborted) break;
    await delay(event.afterMs);
    while (underWay.size >= MAX_UNDER_WAY) await Promise.race(underWay);
    stage.trace?.(describeEvent(event));
    const happening = perform(world, event)
      .finally(() => underWay.delete(happening));
    underWay.add(happening);
  }
  await Promise.all(underWay);
  if (!stage.signal?.aborted) {
    stage.trace?.("all trouble ends");
    await settle(world);
  }
  return { faults: world.faults, tally: world.tally };
}
