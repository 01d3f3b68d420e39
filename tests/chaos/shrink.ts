import type { ChaosEvent, Schedule } from "./schedule.ts";

/** Options for {@linkcode shrink}. */
export interface ShrinkOptions {
  /** How long to go on, in milliseconds. */
  budgetMs: number;
  /** How often a smaller history is played before it counts as harmless. */
  tries: number;
}

/**
 * Looks for the smallest part of a schedule that still goes wrong, by playing
 * ever smaller ones. Processes never run twice alike, so each is played several
 * times, and what comes out may not be the very smallest.
 */
export async function shrink(
  schedule: Schedule,
  goesWrong: (schedule: Schedule) => Promise<boolean>,
  options: ShrinkOptions,
): Promise<Schedule> {
  const until = performance.now() + options.budgetMs;
  const stillWrong = async (events: ChaosEvent[]) => {
    for (let i = 0; i < options.tries && performance.now() < until; i++) {
      if (await goesWrong({ ...schedule, events })) return true;
    }
    return false;
  };
  let { events } = schedule;
  let size = Math.ceil(events.length / 2);
  while (size >= 1 && performance.now() < until) {
    let smaller = false;
    for (let at = 0; at < events.length && performance.now() < until;) {
      const rest = [...events.slice(0, at), ...events.slice(at + size)];
      if (await stillWrong(rest)) {
        events = rest;
        smaller = true;
      } else at += size;
    }
    if (size === 1 && !smaller) break;
    size = smaller && size === 1 ? 1 : Math.floor(size / 2);
  }
  return { ...schedule, events };
}
