import { AgentRunningError } from "../../agent/agent_lock.ts";
import { canPass } from "../../agent/patience.ts";
import { messageOf } from "../../host/message_of.ts";
import { judge } from "../../monitor/judge.ts";
import { summaryOf } from "../../monitor/verdict.ts";
import { hasFault } from "../../queue/sqlite.ts";
import { ExitCode } from "../command.ts";
import { exitCodeOf } from "../exit_code.ts";
import { readFacts, type ReportSources } from "../read_report.ts";

/** The start of the status of a service that cannot begin its work yet. */
export const WAITING = "Waiting: ";

/**
 * Whether an obstacle to a start may go, in this process. A service waits for what
 * a person at a terminal is told at once.
 */
export function mayStartLater(error: unknown, isService: boolean): boolean {
  if (!isService) return canPass(error);
  if (hasFault(error, "parted")) return false;
  return error instanceof AgentRunningError ||
    exitCodeOf(error) === ExitCode.temporary;
}

/**
 * Returns the problem, or the work to be done, in one line.
 *
 * @param problem The problem that a person has to solve, or `null`.
 */
export function statusOf(
  problem: string | null,
  { settings, look }: ReportSources,
): string {
  if (!look) return problem ?? "";
  try {
    const facts = readFacts({ settings, look }, true);
    const agent = { ...facts.agent, problem };
    return summaryOf(facts, judge({ ...facts, agent }));
  } catch (error) {
    // The folder may have been removed: to say so is no reason to end.
    return problem ?? messageOf(error);
  }
}
