import { type CommandContext, ExitCode } from "../command.ts";
import { openStore } from "../store.ts";

/** Removes captures that failed long ago. */
export function run({ settings, given, out }: CommandContext): number {
  const days = given.number("days", 7, { min: 0, max: 36_500 });
  using store = openStore(settings);
  const removed = store.intake.cleanup(days);
  out(`${removed.length} failed captures removed`);
  return ExitCode.ok;
}
