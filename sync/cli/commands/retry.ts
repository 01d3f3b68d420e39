import { nudgeAgent } from "../../agent/agent_lock.ts";
import { UsageError } from "../arguments.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { noQueue, openStoreIfThere } from "../store.ts";

/** Makes captures due now and prints their ids. */
export function run(
  { settings, given, args, out, err }: CommandContext,
): number {
  const which = given.has("all")
    ? "all"
    : given.has("failed")
    ? "failed"
    : args;
  if (which !== args && args.length > 0) {
    throw new UsageError(
      "Cannot retry ids and --failed or --all at once: expected one of them",
    );
  }
  if (which.length === 0) {
    throw new UsageError(
      "Cannot retry nothing: expected ID..., --failed or --all",
    );
  }
  using store = openStoreIfThere(settings, err);
  if (!store) throw new Error(noQueue(settings));
  const found = store.queue.retry(which);
  found.forEach((id) => out(id));
  if (found.length > 0) nudgeAgent(store.queue.path);
  const missing = args.filter((id) => !found.includes(id));
  for (const id of missing) {
    err(
      `jarvis-agent: Cannot retry "${id}": no such capture waits or has failed`,
    );
  }
  return missing.length > 0 ? ExitCode.failure : ExitCode.ok;
}
