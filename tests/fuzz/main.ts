/** Random input for whatever takes input from outside: `deno task fuzz --cases 1000000`. */

import { parseArgs } from "@std/cli/parse-args";
import {
  refuseUnknown,
  runProgram,
  UsageError,
} from "../../scripts/program.ts";
import { describeTally, runCampaign } from "./campaign.ts";
import { TARGETS } from "./targets.ts";

const HELP =
  `Tries random input on whatever takes input from outside, and shows the smallest
that breaks something.

Usage: deno task fuzz [OPTIONS]

  --cases N      end after so many cases in all (default 100000)
  --seconds N    end after so many seconds
  --seed S       begin with this seed (default: another each time)
  --only NAME    only what has this in its name

${TARGETS.map(({ name }) => `  ${name}`).join("\n")}`;

interface Options {
  cases: number;
  seconds: number;
  seed: number;
  only: string;
}

/** @throws {UsageError} if an option is unknown, or its value is not as expected. */
function parseOptions(args: string[]): Options {
  const flags = parseArgs(args, {
    string: ["cases", "seconds", "seed", "only"],
    unknown: refuseUnknown,
  });
  const number = (name: "cases" | "seconds" | "seed", standard: number) => {
    const text = flags[name];
    if (text === undefined) return standard;
    if (/^\d{1,15}$/.test(text)) return Number(text);
    throw new UsageError(
      `Cannot use --${name} "${text}": expected a whole number`,
    );
  };
  const seconds = number("seconds", Infinity);
  return {
    seconds,
    cases: number("cases", seconds === Infinity ? 100_000 : Infinity),
    seed: number("seed", Math.floor(Math.random() * 2 ** 31)),
    only: flags.only ?? "",
  };
}

async function main(args: string[]): Promise<number> {
  const { only, ...options } = parseOptions(args);
  const targets = TARGETS.filter(({ name }) => name.includes(only));
  if (targets.length === 0) {
    throw new UsageError(
      `Cannot use --only "${only}": expected part of one of ${
        TARGETS.map(({ name }) => `"${name}"`).join(", ")
      }`,
    );
  }
  console.log(`Seed ${options.seed}`);
  const start = performance.now();
  let toldAt = start;
  const tally = await runCampaign(targets, {
    ...options,
    onProgress: (tally) => {
      if (performance.now() - toldAt < 60_000) return;
      toldAt = performance.now();
      console.log(`So far:\n${describeTally(tally)}`);
    },
  });
  const seconds = Math.round((performance.now() - start) / 1000);
  console.log(`${describeTally(tally)}\nAll hold, after ${seconds} s`);
  return 0;
}

await runProgram(HELP, main);
