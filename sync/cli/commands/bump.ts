import { nudgeAgent } from "../../agent/agent_lock.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { queuedByName } from "../named_captures.ts";
import { openExistingStore } from "../store.ts";

/** Makes captures the next ones, in the order given, and prints their ids. */
export function run({ settings, args, out, err }: CommandContext): number {
  using store = openExistingStore(settings, err);
  const { queue } = store;
  const named = queuedByName(queue, args, { verb: "bump", err });
  const bumped = queue.bump(named.captures.map(({ id }) => id));
  bumped.forEach((id) => out(id));
  if (bumped.length > 0) nudgeAgent(queue.path);
  const others = named.captures.filter(({ id }) => !bumped.includes(id));
  for (const { id, status } of others) {
    err(
      `jarvis-agent: Cannot bump "${id}": it is ${status}, expected a pending one`,
    );
  }
  return named.isComplete && others.length === 0
    ? ExitCode.ok
    : ExitCode.failure;
}
