import { nudgeAgent } from "../../agent/agent_lock.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { noQueue, openStoreIfThere } from "../store.ts";

/** Makes captures the next ones, in the order given, and prints their ids. */
export function run({ settings, args, out, err }: CommandContext): number {
  using store = openStoreIfThere(settings, err);
  if (!store) throw new Error(noQueue(settings));
  const bumped = store.queue.bump(args);
  bumped.forEach((id) => out(id));
  if (bumped.length > 0) nudgeAgent(store.queue.path);
  const missing = args.filter((id) => !bumped.includes(id));
  for (const id of missing) {
    err(`jarvis-agent: Cannot bump "${id}": no such capture is pending`);
  }
  return missing.length > 0 ? ExitCode.failure : ExitCode.ok;
}
