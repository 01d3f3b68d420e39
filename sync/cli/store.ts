import { join } from "@std/path";
import type { Settings } from "./config.ts";
import { prepareDataDir, QUEUE_FILE } from "../host/data_dir.ts";
import { Intake } from "../spool/intake.ts";
import { UploadQueue } from "../queue/queue.ts";
import { Spool } from "../spool/spool.ts";

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
 * Makes the data directory ready, and returns where its queue is.
 *
 * @throws {Error} if it cannot be used.
 */
export function prepareQueuePath({ dataDir }: Settings): string {
  try {
    prepareDataDir(dataDir);
  } catch (cause) {
    throw new Error(`${(cause as Error).message} (--data-dir names it)`, {
      cause,
    });
  }
  return join(dataDir, QUEUE_FILE);
}

/** What belongs to an open queue. */
export function storeOf(queue: UploadQueue, settings: Settings): Store {
  const spool = new Spool(join(settings.dataDir, "spool"));
  return {
    queue,
    spool,
    intake: new Intake(queue, spool, settings),
    [Symbol.dispose]: () => queue.close(),
  };
}
