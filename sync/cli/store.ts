import { join } from "@std/path";
import { agentLockPath } from "../agent/agent_lock.ts";
import { prepareDataDir, QUEUE_FILE } from "../host/data_dir.ts";
import { statIfThere } from "../host/files.ts";
import type { Log } from "../host/log.ts";
import { UploadQueue } from "../queue/queue.ts";
import { Intake } from "../spool/intake.ts";
import { Spool } from "../spool/spool.ts";
import type { Settings } from "./config.ts";

/** Queue and spool of one data directory, open. */
export interface Store extends Disposable {
  queue: UploadQueue;
  spool: Spool;
  intake: Intake;
}

/** What is kept free on the disk for the queue itself, in bytes. */
const RESERVE_BYTES = 8 * 1024 * 1024;

/**
 * Opens the data directory; makes it if need be.
 *
 * @throws {Error} if it, or the queue in it, cannot be used.
 */
export function openStore(settings: Settings): Store {
  const path = prepareQueuePath(settings);
  return storeOf(
    new UploadQueue(path, { reserveBytes: RESERVE_BYTES }),
    settings,
  );
}

/**
 * Opens the data directory like {@linkcode openStore}; a damaged queue is set aside
 * first, and what can be read of it carried over: for commands that take captures
 * or deliver them.
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
  if (!options.thorough && statIfThere(path)?.size) {
    try {
      const options = { reserveBytes: RESERVE_BYTES };
      return storeOf(new UploadQueue(path, options), settings);
    } catch {
      // It is mended, or what is wrong is said, below.
    }
  }
  // Rarely needed, and not small.
  const { openQueue } = await import("../queue/repair/salvage.ts");
  const queue = await openQueue(path, {
    ...options,
    lockPath: agentLockPath(path),
    reserveBytes: RESERVE_BYTES,
  });
  return storeOf(queue, settings);
}

/**
 * Makes the data directory ready, and returns where its queue is.
 *
 * @throws {Error} if it cannot be used.
 */
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
