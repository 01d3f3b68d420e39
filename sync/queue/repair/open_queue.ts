/**
 * A damaged queue does not stop the agent. It is set aside under a dated name,
 * never deleted; the rows that can be read go into a new queue, and the agent takes
 * up the captures in the spool when it reconciles.
 *
 * All of it is done by the process that holds the agent's lock, in steps that a
 * crash may separate:
 *
 * 1. the queue is renamed to `queue.db.repair-DATE`, its -wal and -shm first,
 *    so that no new queue can get hold of them;
 * 2. a new queue is made;
 * 3. the rows that can be read are copied into it, in one transaction;
 * 4. the old one is renamed to `queue.db.corrupt-DATE`.
 *
 * A process that finds files with the name of step 1 goes on from there.
 *
 * @module
 */

import { delay } from "@std/async/delay";
import { ProcessLock } from "../../host/lock.ts";
import type { Log } from "../../host/log.ts";
import { messageOf } from "../../host/message_of.ts";
import { closeOnError } from "../../host/try_to.ts";
import { UploadQueue, type UploadQueueOptions } from "../queue.ts";
import { damageOf, DatabaseError, hasFault } from "../sqlite.ts";
import { QueueFiles } from "./queue_files.ts";

export interface OpenQueueOptions extends UploadQueueOptions {
  /** The lock that makes a process the agent of this queue. */
  lockPath: string;
  log: Log;
  /**
   * How long another process may take to repair the queue, in milliseconds.
   *
   * @default {5000}
   */
  patienceMs?: number;
}

/** After this many tries the lock counts as held by an agent. */
const MIN_TRIES = 3;
/** How many milliseconds apart. */
const TRY_AGAIN_MS = 50;

/**
 * Opens a queue; a damaged one is set aside first, and the rows that can be read are
 * copied into a new one. All of it is looked at, unless the last agent ended in order
 * or one runs.
 *
 * @throws {Error} if it is damaged and its agent runs; else as `new UploadQueue()` does,
 * but for damage.
 */
export async function openQueue(
  path: string,
  options: OpenQueueOptions,
): Promise<UploadQueue> {
  const { lockPath, log, engine, patienceMs = 5000 } = options;
  const files = new QueueFiles(path, { lockPath, engine, log });
  const open = () => new UploadQueue(path, options);
  const until = performance.now() + patienceMs;
  let failure: unknown;
  for (let tries = 1; performance.now() < until; tries++) {
    using lock = await ProcessLock.tryAcquire(lockPath);
    if (lock) return await repairSoon(files, { open, until });
    // Somebody may just be looking whether there is an agent, or be repairing the queue.
    await delay(TRY_AGAIN_MS);
    if (tries < MIN_TRIES) continue;
    try {
      const queue = unlessDamaged(open);
      if (typeof queue !== "string") return queue;
      failure = undefined;
    } catch (error) {
      // Perhaps another process is just moving the files away.
      if (!hasFault(error, "other")) throw error;
      failure = error;
    }
  }
  if (isParted(failure)) {
    const message =
      `${failure.message}: its -wal was removed or replaced, its agent ends by itself where it still answers; try again later`;
    throw new DatabaseError(message, { fault: "parted", cause: failure });
  }
  if (failure) throw failure;
  const cause = `the queue "${path}" is damaged`;
  const message =
    `Cannot repair the damaged queue "${path}" while its agent runs: it does so itself, try again later, or end the agent first`;
  throw new DatabaseError(message, { fault: "busy", cause });
}

/** Whether its agent's -wal seems to have been removed: then it lacks frames that the -shm lists. */
function isParted(failure: unknown): failure is Error {
  return hasFault(failure, "other") &&
    messageOf(failure).includes("disk I/O error");
}

/** As {@linkcode repair}; waits for the last agent to be gone, as it may have a -wal that was removed. */
async function repairSoon(
  files: QueueFiles,
  { open, until }: { open: () => UploadQueue; until: number },
): Promise<UploadQueue> {
  for (;;) {
    try {
      return repair(files, open);
    } catch (error) {
      if (!isParted(error) || performance.now() > until) throw error;
    }
    await delay(TRY_AGAIN_MS);
  }
}

/** Opens the queue, after setting it aside if it is damaged. */
function repair(files: QueueFiles, open: () => UploadQueue): UploadQueue {
  files.completeMove();
  const damage = files.findLoss() ?? files.inspect();
  let queue = damage === undefined ? unlessDamaged(open) : damage;
  if (typeof queue === "string") {
    files.setAside(queue);
    queue = open();
  }
  return closeOnError(queue, () => {
    files.finish();
    files.takeOver();
  });
}

/** Opens the queue, or returns the damage in words. */
function unlessDamaged(open: () => UploadQueue): UploadQueue | string {
  try {
    return open();
  } catch (error) {
    const damage = damageOf(error);
    if (damage === undefined) throw error;
    return damage;
  }
}
