import { nudgeAgent } from "../../agent/agent_lock.ts";
import type { QueuedCapture, UploadQueue } from "../../queue/queue.ts";
import { UsageError } from "../arguments.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { queuedByName } from "../named_captures.ts";
import { readSelection } from "../selection.ts";
import { openExistingStore } from "../store.ts";
import { pages } from "../table.ts";

/** Makes captures due now, lets the agent ask the server at once, and prints their ids. */
export function run(context: CommandContext): number {
  const { settings, given, args, out, err } = context;
  given.atMostOne("all", "failed");
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
  const captures = isByKind ? ofKind(context, queue) : named.captures;
  let count = 0;
  let underWay = 0;
  for (const page of pages(captures)) {
    const found = new Set(queue.retry(page.map(({ id }) => id)));
    count += found.size;
    found.forEach((id) => out(id));
    for (const { id } of isByKind ? [] : page) {
      if (found.has(id)) continue;
      underWay++;
      err(`jarvis-agent: Cannot retry "${id}": it is being sent`);
    }
  }
  if (count > 0) {
    queue.requestProbe();
    nudgeAgent(queue.path);
  } else if (isByKind) err("jarvis-agent: There is no such capture to retry");
  return named.isComplete && underWay === 0 ? ExitCode.ok : ExitCode.failure;
}

function ofKind(
  { given }: CommandContext,
  queue: UploadQueue,
): Iterable<QueuedCapture> {
  const { admits } = readSelection(given);
  const status = given.has("all") ? undefined : "failed";
  return queue.captures({ status }).filter(admits);
}
