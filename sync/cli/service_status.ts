import { counted } from "../host/counted.ts";
import { AgentRunningError } from "../agent/agent_lock.ts";
import type { FolderStanding } from "../watch/watched_root.ts";
import { ExitCode } from "./command.ts";
import { exitCodeOf } from "./exit_code.ts";
import type { Store } from "./store.ts";
import { outsideSchedule } from "./timetable.ts";

/** How the status begins of a service that cannot begin its work yet. */
export const WAITING = "Waiting: ";

/** Whether what is in the way of a start may go without anybody mending it. */
export function canHeal(error: unknown): boolean {
  return error instanceof AgentRunningError ||
    exitCodeOf(error) === ExitCode.temporary;
}

/**
 * Says in one line what there is to do, and whether it can be done.
 *
 * @param problem What a person has to mend, or `null`.
 */
export function statusOf(
  problem: string | null,
  store: Store | undefined,
): string {
  const parts = problem === null ? [] : [problem];
  if (!store) return parts.join(", ");
  const { pending, uploading, failed } = store.queue.getStats();
  const { serverState, serverReason, schedule } = store.queue.getAgentState();
  const quiet = outsideSchedule(schedule);
  const folders: FolderStanding[] = JSON.parse(store.queue.watchedFolders());
  return [
    ...parts,
    ...(quiet === null ? [] : [quiet]),
    ...folders.filter(({ watchedBy }) => LOST.includes(watchedBy))
      .map(({ path, watchedBy }) => `the folder "${path}" is ${watchedBy}`),
    `${counted(pending + uploading, "capture")} waiting`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    `server ${serverState}${serverReason ? `: ${serverReason}` : ""}`,
  ].join(", ");
}

const LOST = ["missing", "refused"];
