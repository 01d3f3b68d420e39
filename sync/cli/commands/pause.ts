import { nudgeAgent } from "../../agent/agent_lock.ts";
import { describePause } from "../capture_text.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { openExistingStore } from "../store.ts";

/** Stops deliveries, also those of agents to come. */
export function run({ settings, given, out, err }: CommandContext): number {
  const range = { min: "1s", max: "3650d" } as const;
  const forMs = given.durationMs("for", range);
  using store = openExistingStore(settings, err);
  const { queue } = store;
  queue.pause(forMs === undefined ? null : Date.now() + forMs);
  nudgeAgent(queue.path);
  out(describePause(queue.getPause()!));
  return ExitCode.ok;
}
