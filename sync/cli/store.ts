import { join } from "@std/path";
import { agentLockPath } from "../agent_lock.ts";
import type { Settings } from "../config.ts";
import { prepareDataDir, QUEUE_FILE } from "../data_dir.ts";
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
  const path = prepareQueuePath(settings);
  const queue = new UploadQueue(path, { reserveBytes: RESERVE_BYTES });
  return storeOf(queue, settings);
}

/**
 * Opens the data directory like {@linkcode openStore}; a damaged queue is set
 * aside first, and what can be read of it carried over.
 *
 * @param options `thorough` looks at all of the queue: for whoever delivers.
 * @throws {QueueInUseError} if the queue is damaged and its agent runs.
 * @throws {Error} if the data directory, or the queue in it, cannot be used.
 */
export async function openMendedStore(
  settings: Settings,
  options: { log: Log; thorough?: boolean },
): Promise<Store> {
  // Not earlier: most commands do without.
  const { openQueue } = await import("../salvage.ts");
  const path = prepareQueuePath(settings);
  const lockPath = agentLockPath(path);
  const reserveBytes = RESERVE_BYTES;
  const queue = await openQueue(path, { ...options, lockPath, reserveBytes });
  return storeOf(queue, settings);
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

function storeOf(queue: UploadQueue, settings: Settings): Store {
  const spool = new Spool(join(settings.dataDir, "spool"));
  return {
    queue,
    spool,
    intake: new Intake(queue, spool, settings),
    [Symbol.dispose]: () => queue.close(),
  };
}
