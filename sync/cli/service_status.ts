import { AgentRunningError } from "../agent/agent_lock.ts";
import { judge } from "../monitor/judge.ts";
import { standingOf } from "../monitor/verdict.ts";
import { ExitCode } from "./command.ts";
import { exitCodeOf } from "./exit_code.ts";
import { readFacts, type ReportSources } from "./status_report.ts";

/** How the status begins of a service that cannot begin its work yet. */
export const WAITING = "Waiting: ";

/** Whether what is in the way of a start may go without anybody mending it. */
export function canHeal(error: unknown): boolean {
  return error instanceof AgentRunningError ||
    exitCodeOf(error) === ExitCode.temporary;
}

/**
 * Says in one line what is wrong, or what there is to do.
 *
 * @param problem What a person has to mend, or `null`.
 */
export function statusOf(
  problem: string | null,
  { settings, look }: ReportSources,
): string {
  if (!look) return problem ?? "";
  try {
    const facts = readFacts({ settings, look }, true);
    const agent = { ...facts.agent, problem };
    return standingOf(facts, judge({ ...facts, agent }));
  } catch (error) {
    // The folder may have been removed: to say so is no reason to end.
    return problem ?? (error as Error).message;
  }
}
