import { nudgeAgent } from "../../agent/agent_lock.ts";
import type { Pause } from "../../queue/queue.ts";
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

/** Lets deliveries go on. */
export function resume({ settings, out, err }: CommandContext): number {
  using store = openExistingStore(settings, err);
  const wasPaused = store.queue.resume();
  nudgeAgent(store.queue.path);
  out(wasPaused ? "Deliveries go on" : "Deliveries were not paused");
  return ExitCode.ok;
}

/** Returns a line on the pause: until when, and how to end it. */
export function describePause({ until }: Pause): string {
  const end = until === null ? "" : ` until ${new Date(until).toISOString()}`;
  return `Deliveries are paused${end}: "jarvis-agent resume" lets them go on`;
}
