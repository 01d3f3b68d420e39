import { join } from "@std/path";
import { agentLockPath } from "../agent_lock.ts";
import type { Settings } from "../config.ts";
import { prepareDataDir, QUEUE_FILE } from "../data_dir.ts";
import { hasFault } from "../database_error.ts";
import { Intake } from "../intake.ts";
import type { Log } from "../log.ts";
import { UploadQueue } from "../queue.ts";
import { Spool } from "../spool.ts";

/** Queue and spool of one data directory, open. */
export interface Store extends Disposable {
  queue: UploadQueue;
  spool: Spool;
  intake: Intake;
}

/** What is kept free on the disk for the queue itself, in bytes. */
export const RESERVE_BYTES = 8 * 1024 * 1024;

/**
 * Opens the data directory; makes it if need be.
 *
 * @throws {Error} if it, or the queue in it, cannot be used.
 */
export function openStore(settings: Settings): Store {
  return open(prepareQueuePath(settings), settings);
}

/**
 * Opens the data directory like {@linkcode openStore}; a damaged queue is set
 * aside first, and what can be read of it carried over: for whoever takes
 * captures, or delivers them.
 *
 * @param options `thorough` looks at all of the queue: for the agent. `mayLeave`
 * says that the process ends with the use of the store, see `UploadQueue.leave()`.
 * @throws {QueueInUseError} if the queue is damaged and its agent runs.
 * @throws {Error} if the data directory, or the queue in it, cannot be used.
 */
export async function openMendedStore(
  settings: Settings,
  options: { log: Log; thorough?: boolean; mayLeave?: boolean },
): Promise<Store> {
  const path = prepareQueuePath(settings);
  // Nearly all queues are sound, and what mends one takes a while to load.
  if (!options.thorough && hasBytes(path)) {
    try {
      return open(path, settings, options);
    } catch (error) {
      // Or another process is just moving it.
      if (!hasFault(error, "damaged") && !hasFault(error, "other")) throw error;
    }
  }
  const { openQueue } = await import("../salvage.ts");
  const queue = await openQueue(path, {
    ...options,
    lockPath: agentLockPath(path),
    reserveBytes: RESERVE_BYTES,
  });
  return storeOf(queue, settings, options);
}

function open(
  path: string,
  settings: Settings,
  options: { mayLeave?: boolean } = {},
): Store {
  const queue = new UploadQueue(path, { reserveBytes: RESERVE_BYTES });
  return storeOf(queue, settings, options);
}

function hasBytes(path: string): boolean {
  try {
    return Deno.statSync(path).size > 0;
  } catch {
    return false;
  }
}

function prepareQueuePath({ dataDir }: Settings): string {
  try {
    prepareDataDir(dataDir);
  } catch (cause) {
    throw new Error(`${(cause as Error).message} (--data-dir names it)`, {
      cause,
    });
  }
  return join(dataDir, QUEUE_FILE);
}

function storeOf(
  queue: UploadQueue,
  settings: Settings,
  { mayLeave = false }: { mayLeave?: boolean },
): Store {
  const spool = new Spool(join(settings.dataDir, "spool"));
  return {
    queue,
    spool,
    intake: new Intake(queue, spool, settings),
    [Symbol.dispose]: () => mayLeave ? queue.leave() : queue.close(),
  };
}
