/** The long crash and outage test: `deno task chaos --minutes 30`. */

import { parseArgs } from "@std/cli/parse-args";
import {
  refuseUnknown,
  runProgram,
  UsageError,
} from "../../scripts/program.ts";
import { Campaign, describeTally, describeViolation } from "./campaign.ts";
import { Program } from "./program.ts";

const HELP =
  `Kills, stops, cuts off and fills up a real agent and a real server, and
checks that every acknowledged capture arrives exactly once.

Usage: deno task chaos [OPTIONS]

  --minutes N    go on for so long (default 5)
  --seed S       begin with this round; each further one has the next seed
  --rounds N     end after so many rounds
  --events N     how much happens in a round (default 60)
  --shrink N     look for the smallest history for so many minutes (default 5)
  --trace        tell each event as it happens

A violation ends the run. "--seed S --rounds 1" plays one round again.
`;

const NUMBERS = {
  minutes: 5,
  seed: Math.floor(Math.random() * 2 ** 31),
  rounds: Infinity,
  events: 60,
  shrink: 5,
};

/** @throws {UsageError} if an option is unknown, or its value is not as expected. */
function parseOptions(args: string[]): typeof NUMBERS & { trace: boolean } {
  const names = Object.keys(NUMBERS) as (keyof typeof NUMBERS)[];
  const flags = parseArgs(args, {
    string: names,
    boolean: ["trace"],
    unknown: refuseUnknown,
  });
  const options = { ...NUMBERS, trace: flags.trace === true };
  for (const name of names) {
    const text: unknown = flags[name];
    if (text === undefined) continue;
    options[name] = Number(text);
    if (text === "" || !(options[name] >= 0)) {
      throw new UsageError(`Cannot use --${name} "${text}": expected a number`);
    }
  }
  return options;
}

async function main(args: string[]): Promise<number> {
  const { minutes, shrink, trace, ...options } = parseOptions(args);
  const start = performance.now();
  const log = (line: string) => {
    const seconds = (performance.now() - start) / 1000;
    console.log(`${seconds.toFixed(1).padStart(7)} s  ${line}`);
  };
  await using program = Program.copy();
  await using campaign = await Campaign.prepare(program, {
    signal: interruption(),
    ...(trace && { trace: log }),
  });
  const { canMount, canSetClock } = campaign.abilities;
  if (!canMount) {
    log("Left out: full and mounted disks, for want of the right to mount");
  }
  if (!canSetClock) log("Left out: clock changes, for want of a C compiler");
  log(`Seed ${options.seed}`);
  const violation = await campaign.play({
    ...options,
    forMs: minutes * 60_000,
    shrinkMs: shrink * 60_000,
    onRound: ({ seed, total }) => log(`${seed}: ${describeTally(total)}`),
  });
  if (violation) log(describeViolation(violation));
  else log("No violation");
  return violation ? 1 : 0;
}

/** Aborts when the program is told to stop, so that nothing is left behind. */
function interruption(): AbortSignal {
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    if (signal === "SIGTERM" && Deno.build.os === "windows") continue;
    Deno.addSignalListener(signal, () => stopping.abort());
  }
  return stopping.signal;
}

await runProgram(HELP, main);
