import { AgentRunningError } from "../agent/agent_lock.ts";
import { UsageError } from "./arguments.ts";
import { oneLine } from "../host/log.ts";
import { exitCodeOf, type Surroundings } from "./command.ts";
import { COMMANDS } from "./commands.ts";

/**
 * Tells a person what went wrong with a command and, where there is something,
 * what to do about it; returns the exit code.
 */
export function explain(
  name: string,
  error: unknown,
  { err }: Surroundings,
): number {
  const message = error instanceof Error ? error.message : String(error);
  err(oneLine(`jarvis-agent: ${message}`));
  if (error instanceof UsageError) {
    const topic = Object.hasOwn(COMMANDS, name) ? `${name} --help` : "--help";
    err(`Try "jarvis-agent ${topic}".`);
  } else if (error instanceof AgentRunningError) {
    err('"jarvis-agent status" shows it; end it before starting another one.');
  }
  return exitCodeOf(error);
}
