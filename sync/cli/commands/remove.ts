import { type CommandContext, ExitCode } from "../command.ts";
import { noQueue, openStoreIfThere } from "../store.ts";

/** Removes captures and prints their ids. */
export function run({ settings, args, out, err }: CommandContext): number {
  using store = openStoreIfThere(settings, err);
  if (!store) throw new Error(noQueue(settings));
  const removed = store.intake.remove(args);
  removed.forEach((id) => out(id));
  const missing = args.filter((id) => !removed.includes(id));
  for (const id of missing) {
    err(`jarvis-agent: Cannot remove "${id}": no such capture is in the queue`);
  }
  return missing.length > 0 ? ExitCode.failure : ExitCode.ok;
}
