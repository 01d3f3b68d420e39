import { nudgeAgent } from "../../agent/agent_lock.ts";
import type { UploadQueue } from "../../queue/queue.ts";
import { UsageError } from "../arguments.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { queuedByName } from "../named_captures.ts";
import { readSelection } from "../selection.ts";
import { openExistingStore } from "../store.ts";

/** Makes captures due now, lets the agent ask the server at once, and prints their ids. */
export function run(context: CommandContext): number {
  const { settings, given, args, out, err } = context;
  const isByKind = given.has("all") || given.has("failed") ||
    given.text("reason") !== undefined;
  if (isByKind && args.length > 0) {
    throw new UsageError(
      "Cannot retry captures and --failed, --all or --reason at once: expected one of them",
    );
  }
  if (!isByKind && args.length === 0) {
    throw new UsageError(
      "Cannot retry nothing: expected captures, --failed, --all or --reason",
    );
  }
  using store = openExistingStore(settings, err);
  const { queue } = store;
  const named = queuedByName(queue, args, { verb: "retry", err });
  const ids = named.captures.map(({ id }) => id);
  const found = queue.retry(isByKind ? kindOf(context, queue) : ids);
  found.forEach((id) => out(id));
  if (found.length > 0) {
    queue.requestProbe();
    nudgeAgent(queue.path);
  } else if (isByKind) err("jarvis-agent: There is no such capture to retry");
  const underWay = ids.filter((id) => !found.includes(id));
  for (const id of underWay) {
    err(`jarvis-agent: Cannot retry "${id}": it is being sent`);
  }
  return named.isComplete && underWay.length === 0
    ? ExitCode.ok
    : ExitCode.failure;
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
