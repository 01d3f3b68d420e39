import { delay } from "@std/async/delay";
import { dirname, join } from "@std/path";
import { LOCK_FILE } from "../host/data_dir_paths.ts";
import { ProcessLock } from "../host/lock.ts";
import { tryTo } from "../host/try_to.ts";
import type { UploadQueue } from "../queue/queue.ts";

/** Another process is this queue's agent. */
export class AgentRunningError extends Error {
  override name = "AgentRunningError";
}

/** The lock that makes a process the agent of a queue. */
export function agentLockPath(queuePath: string): string {
  return join(dirname(queuePath), LOCK_FILE);
}

/**
 * Makes this process the agent of a queue as long as it holds the lock.
 *
 * @throws {AgentRunningError} if another process is its agent.
 */
export async function acquireAgentLock(
  queue: UploadQueue,
): Promise<ProcessLock> {
  const path = agentLockPath(queue.path);
  // Somebody may just be looking whether an agent runs.
  for (let tries = 0; tries < 3; tries++) {
    const lock = await ProcessLock.tryAcquire(path);
    if (lock) return lock;
    await delay(100);
  }
  const { pid } = queue.getAgentState();
  const who = pid === null ? "another process" : `process ${pid}`;
  throw new AgentRunningError(
    `Cannot be the agent of "${queue.path}": ${who} is its agent already`,
  );
}

/** Whether a process is the agent of a queue. */
export function isAgentRunning(queuePath: string): Promise<boolean> {
  return ProcessLock.isHeld(agentLockPath(queuePath));
}

/** Tells a running agent that its queue has changed; it would notice within two seconds. */
export function nudgeAgent(queuePath: string): void {
  const now = new Date();
  // It is not there if no agent ever was.
  tryTo(() => Deno.utimeSync(agentLockPath(queuePath), now, now));
}
