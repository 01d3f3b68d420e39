import { agentLockPath } from "../agent/agent_lock.ts";
import type { Settings } from "./config.ts";
import type { Log } from "../host/log.ts";
import { openQueue } from "../queue/repair/salvage.ts";
import {
  prepareQueuePath,
  RESERVE_BYTES,
  type Store,
  storeOf,
} from "./store.ts";

/**
 * Opens the data directory like `openStore`; a damaged queue is set aside first,
 * and what can be read of it carried over: for whoever takes captures, or delivers
 * them.
 *
 * @param options `thorough` looks at all of the queue: for whoever delivers
 * all that is in it.
 * @throws {QueueInUseError} if the queue is damaged and its agent runs.
 * @throws {Error} if the data directory, or the queue in it, cannot be used.
 */
export async function openMendedStore(
  settings: Settings,
  options: { log: Log; thorough?: boolean },
): Promise<Store> {
  const path = prepareQueuePath(settings);
  const queue = await openQueue(path, {
    ...options,
    lockPath: agentLockPath(path),
    reserveBytes: RESERVE_BYTES,
  });
  return storeOf(queue, settings);
}
