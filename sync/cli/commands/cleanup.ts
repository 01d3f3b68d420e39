import { counted } from "../../host/counted.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { noQueue, openStoreIfThere } from "../store.ts";

const DAY_MS = 86_400_000;

/** Removes captures that failed long ago. */
export function run({ settings, given, out, err }: CommandContext): number {
  const range = { min: "0d", max: "36500d", unit: "d" } as const;
  const days = given.durationMs("days", range) / DAY_MS;
  using store = openStoreIfThere(settings, err);
  if (!store) err(`jarvis-agent: ${noQueue(settings)}`);
  const isDryRun = given.has("dry-run");
  let count = 0;
  for (const ids of store?.queue.oldFailed(days) ?? []) {
    if (isDryRun) ids.forEach((id) => out(id));
    count += isDryRun ? ids.length : store!.intake.remove(ids).length;
  }
  const text = counted(count, "failed capture");
  if (isDryRun) err(`jarvis-agent: ${text} would be removed`);
  else out(`${text} removed`);
  return ExitCode.ok;
}
