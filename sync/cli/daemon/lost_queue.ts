import { counted } from "../../host/counted.ts";
import { agentLockPath } from "../../agent/agent_lock.ts";
import { ProcessLock } from "../../host/lock.ts";
import type { Log } from "../../host/log.ts";
import { hasFault } from "../../queue/sqlite.ts";
import type { Settings } from "../settings/config.ts";
import { openStore, type Store } from "../store.ts";

/** The least time between two repairs of a queue, in milliseconds. */
const REPAIR_AGAIN_MS = 60_000;

/** Whether an agent ended because its queue was removed or another one took its name, or is damaged. */
export function endedAs(
  error: unknown,
  fault: "replaced" | "damaged",
): boolean {
  return hasFault(error, fault) || hasFault((error as Error).cause, fault);
}

/** The repairs of a queue by one process. */
export class Repairs {
  #lastMs = -Infinity;

  /** Whether an agent that ended like this is to begin anew, with a repair: not time and again. */
  mayFollow(error: unknown): boolean {
    if (!endedAs(error, "damaged")) return false;
    const beforeMs = this.#lastMs;
    this.#lastMs = performance.now();
    return this.#lastMs - beforeMs > REPAIR_AGAIN_MS;
  }
}

export interface LostQueueOptions {
  settings: Settings;
  log: Log;
  /** Gives back the agent's lock. */
  release: () => void;
}

/**
 * Copies the captures of a queue whose file was removed into the one that is there
 * now, which is made if need be: as long as it is open it can be read. A queue that
 * was moved away with its directory keeps its captures, and its copies with them.
 */
export async function saveLostQueue(
  lost: Store,
  { settings, log, release }: LostQueueOptions,
): Promise<void> {
  const { path } = lost.queue;
  log("error", `"${path}" was removed or replaced: going on with another one`);
  // This process holds the lock of the directory that it began with.
  const isSameDir = await ProcessLock.isHeld(agentLockPath(path));
  release();
  if (!isSameDir) return;
  using found = await openStore(settings, { log, thorough: true });
  const count = found.queue.takeOver(lost.queue);
  log("warn", `${counted(count, "capture")} of the lost queue taken over`);
}
