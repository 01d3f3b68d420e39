import { counted } from "../../host/counted.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { noQueue, openStoreIfThere } from "../store.ts";

const DAY_MS = 86_400_000;

/** Removes captures that failed long ago. */
export function run({ settings, given, out, err }: CommandContext): number {
  const range = { min: "0d", max: "36500d", unit: "d" } as const;
  const days = given.durationMs("days", "7d", range) / DAY_MS;
  using store = openStoreIfThere(settings, err);
  if (!store) err(`jarvis-agent: ${noQueue(settings)}`);
  const ids = store?.queue.oldFailed(days) ?? [];
  if (given.has("dry-run")) {
    ids.forEach((id) => out(id));
    err(
      `jarvis-agent: ${counted(ids.length, "failed capture")} would be removed`,
    );
    return ExitCode.ok;
  }
  const removed = store?.intake.remove(ids).length ?? 0;
  out(`${counted(removed, "failed capture")} removed`);
  return ExitCode.ok;
}
