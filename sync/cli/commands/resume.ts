import { nudgeAgent } from "../../agent/agent_lock.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { openExistingStore } from "../store.ts";

/** Lets deliveries go on. */
export function run({ settings, out, err }: CommandContext): number {
  using store = openExistingStore(settings, err);
  const wasPaused = store.queue.resume();
  nudgeAgent(store.queue.path);
  out(wasPaused ? "Deliveries go on" : "Deliveries were not paused");
  return ExitCode.ok;
}
