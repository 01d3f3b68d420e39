/** The arguments and the exit code of the tasks' programs. */

import { ignoreDebugSignal } from "../sync/host/debug_signal.ts";

/** The arguments cannot be used as they are; the message says so to the user. */
export class UsageError extends Error {}

/**
 * Refuses an argument that `parseArgs` does not know.
 *
 * @throws {UsageError} always.
 */
export function refuseUnknown(argument: string): never {
  throw new UsageError(
    `Unknown argument "${argument}": see --help for those there are`,
  );
}

/**
 * Runs a program with the arguments of this process, and ends that: with 2 where
 * the arguments cannot be used.
 *
 * @param help The text that `--help` prints instead.
 */
export async function runProgram(
  help: string,
  main: (args: string[]) => Promise<number>,
): Promise<never> {
  ignoreDebugSignal();
  if (Deno.args.includes("--help") || Deno.args.includes("-h")) {
    console.log(help);
    Deno.exit(0);
  }
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    const isUsage = error instanceof UsageError;
    console.error(isUsage ? error.message : error);
    Deno.exit(isUsage ? 2 : 1);
  }
}
