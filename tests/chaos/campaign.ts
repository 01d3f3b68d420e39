import { Clock } from "./clock.ts";
import { Program } from "./program.ts";
import { playRound } from "./round.ts";
import {
  type Abilities,
  type ChaosEvent,
  createSchedule,
  describeEvent,
  type Schedule,
} from "./schedule.ts";
import { shrink } from "../helpers/shrink.ts";
import { SmallDisk } from "./small_disk.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { NO_TALLY, type Stage, type Tally } from "./world.ts";

/** How often a smaller history is played before it counts as harmless: no two plays are alike. */
const TRIES = 2;

/** Options for {@linkcode Campaign.play}. */
export interface PlayOptions {
  /** The first round's; each further one has the next. */
  seed: number;
  /** How much happens in a round. */
  events: number;
  /** No round begins after so many milliseconds. */
  forMs: number;
  /** @default {Infinity} */
  rounds?: number;
  /** How long to look for a smaller history, in milliseconds. */
  shrinkMs: number;
  /** Is told when a round has passed. */
  onRound?: (round: { seed: number; total: Tally }) => void;
}

/** A promise that was broken, and how it came to that. */
export interface Violation {
  faults: string[];
  schedule: Schedule;
  /** The smallest part of the schedule that was found to break a promise. */
  smallest: Schedule;
}

/** Rounds played one after the other, until a promise is broken. */
export class Campaign implements AsyncDisposable {
  readonly abilities: Abilities;
  /** What has happened in all rounds. */
  readonly total: Tally = { ...NO_TALLY };
  readonly #stage: Stage;
  readonly #dir: TempDir;

  private constructor(stage: Stage, abilities: Abilities, dir: TempDir) {
    this.#stage = stage;
    this.abilities = abilities;
    this.#dir = dir;
  }

  /** Finds out what this machine can do. */
  static async prepare(
    program: Program,
    options: Omit<Stage, "program" | "clock"> = {},
  ): Promise<Campaign> {
    const dir = new TempDir();
    const clock = await Clock.make(dir.path);
    const abilities = {
      canMount: await SmallDisk.canMount(),
      canSetClock: clock !== undefined,
    };
    return new Campaign({ ...options, program, clock }, abilities, dir);
  }

  /** Plays a round that is given, and returns what went wrong. */
  async replay(schedule: Schedule): Promise<string[]> {
    return (await playRound(schedule, this.#stage)).faults;
  }

  /** Returns what went wrong first, or `undefined` if nothing did. */
  async play(options: PlayOptions): Promise<Violation | undefined> {
    const until = performance.now() + options.forMs;
    const { rounds = Infinity } = options;
    for (let round = 0; round < rounds && performance.now() < until; round++) {
      const seed = options.seed + round;
      const schedule = createSchedule(seed, options.events, this.abilities);
      const { faults, tally } = await playRound(schedule, this.#stage);
      if (this.#stage.signal?.aborted) return undefined;
      for (const name of Object.keys(tally) as (keyof Tally)[]) {
        this.total[name] += tally[name];
      }
      if (faults.length > 0) {
        return await this.#explain(schedule, faults, options.shrinkMs);
      }
      options.onRound?.({ seed, total: this.total });
    }
    return undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dir[Symbol.asyncDispose]();
  }

  async #explain(
    schedule: Schedule,
    faults: string[],
    budgetMs: number,
  ): Promise<Violation> {
    const until = performance.now() + budgetMs;
    const fails = async (events: readonly ChaosEvent[]) => {
      for (let i = 0; i < TRIES && performance.now() < until; i++) {
        if ((await this.replay({ ...schedule, events })).length > 0) {
          return true;
        }
      }
      return false;
    };
    const events = await shrink(schedule.events, fails);
    return { faults, schedule, smallest: { ...schedule, events } };
  }
}

/** A violation in words: what is wrong, the smallest history, and how to see it again. */
export function describeViolation(violation: Violation): string {
  const { faults, schedule, smallest } = violation;
  const { seed, events, smallDisk } = schedule;
  return [
    `Violation in the round with seed ${seed}:`,
    ...faults.slice(0, 10).map((fault) => `- ${fault}`),
    `The smallest history that was found has ${smallest.events.length} of its ${events.length} events` +
    `${smallDisk ? ", on a small disk" : ""}:`,
    ...smallest.events.map((event) => `  ${describeEvent(event)}`),
    `Again: deno task chaos --seed ${seed} --rounds 1 --events ${events.length}`,
  ].join("\n");
}

/** What has happened, in a line. */
export function describeTally(tally: Tally): string {
  const { agentKills, serverKills, enqueueKills, commandKills } = tally;
  const kills = agentKills + serverKills + enqueueKills + commandKills;
  const mib = (tally.deliveredBytes / 2 ** 20).toFixed(0);
  return [
    `${tally.acknowledged} captures acknowledged`,
    `${tally.dropped} dropped`,
    `${tally.delivered} delivered (${mib} MiB)`,
    `${kills} kills (${agentKills} agent, ${enqueueKills} enqueue, ` +
    `${serverKills} server, ${commandKills} others)`,
    `${tally.diskFills} full disks`,
    `${tally.clockChanges} clock changes`,
  ].join(", ");
}
