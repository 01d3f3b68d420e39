import { nudgeAgent } from "../../agent/agent_lock.ts";
import type { UploadQueue } from "../../queue/queue.ts";
import { UsageError } from "../arguments.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { readSelection } from "../selection.ts";
import { noQueue, openStoreIfThere } from "../store.ts";

/** Makes captures due now, lets the agent ask the server at once, and prints their ids. */
export function run(context: CommandContext): number {
  const { settings, given, args, out, err } = context;
  const isByKind = given.has("all") || given.has("failed") ||
    given.text("reason") !== undefined;
  if (isByKind && args.length > 0) {
    throw new UsageError(
      "Cannot retry ids and --failed, --all or --reason at once: expected one of them",
    );
  }
  if (!isByKind && args.length === 0) {
    throw new UsageError(
      "Cannot retry nothing: expected ID..., --failed, --all or --reason",
    );
  }
  using store = openStoreIfThere(settings, err);
  if (!store) throw new Error(noQueue(settings));
  const { queue } = store;
  const found = queue.retry(isByKind ? kindOf(context, queue) : args);
  found.forEach((id) => out(id));
  if (found.length > 0) {
    queue.requestProbe();
    nudgeAgent(queue.path);
  }
  const missing = args.filter((id) => !found.includes(id));
  for (const id of missing) {
    err(
      `jarvis-agent: Cannot retry "${id}": no such capture waits or has failed`,
    );
  }
  return missing.length > 0 ? ExitCode.failure : ExitCode.ok;
}

function kindOf(
  { given }: CommandContext,
  queue: UploadQueue,
): string[] | "all" | "failed" {
  const all = given.has("all");
  if (given.text("reason") === undefined) return all ? "all" : "failed";
  const selection = readSelection(given);
  return [...queue.captures({ status: all ? undefined : "failed" })]
    .filter((capture) => selection.admits(capture)).map(({ id }) => id);
}
