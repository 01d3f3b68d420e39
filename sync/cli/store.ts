import { agentLockPath } from "../agent/agent_lock.ts";
import {
  assertOwnDataDir,
  assertWritable,
  holdsQueue,
  prepareDataDir,
} from "../host/data_dir.ts";
import { queuePath, spoolDir } from "../host/data_dir_paths.ts";
import { statIfThere } from "../host/files.ts";
import type { Log } from "../host/log.ts";
import { messageOf } from "../host/message_of.ts";
import { UploadQueue } from "../queue/queue.ts";
import { Intake } from "../spool/intake.ts";
import { Spool } from "../spool/spool.ts";
import type { Settings } from "./settings/config.ts";

/** Queue and spool of one data directory, open. */
export interface Store extends Disposable {
  queue: UploadQueue;
  spool: Spool;
  intake: Intake;
}

/** The room on the disk that is kept for the queue itself. */
const RESERVE = { reserveBytes: 8 * 1024 * 1024 };

/**
 * Waiting for a queue that is locked holds up the thread: an agent rather tries again
 * later, as it has uploads under way, and signals and a watchdog to answer.
 */
const SHORT_WAIT = { busyTimeoutMs: 500 };

/**
 * Opens the data directory, which is made if need be. A damaged queue is set aside
 * first, and its readable rows are carried over: for commands that take captures
 * or deliver them.
 *
 * @param options `thorough` checks all of the queue: for a process that delivers
 * all that is in it. `busyTimeoutMs` as for `UploadQueue`.
 * @throws {Error} if the data directory, or the queue in it, cannot be used, or the queue
 * is damaged and its agent runs.
 */
export async function openStore(
  settings: Settings,
  options: { log: Log; thorough?: boolean; busyTimeoutMs?: number },
): Promise<Store> {
  const path = queuePath(settings.dataDir);
  const { order } = settings;
  prepare(settings, (closed) => options.log("warn", closed));
  if (!options.thorough && hasQueue(settings)) {
    try {
      const queue = new UploadQueue(path, { ...RESERVE, ...options, order });
      return storeOf(queue, settings, options);
    } catch {
      // It is repaired, or the reason is thrown, below.
    }
  }
  // Rarely needed, and not small.
  const { openQueue } = await import("../queue/repair/open_queue.ts");
  const lockPath = agentLockPath(path);
  const queue = await openQueue(path, {
    ...options,
    ...RESERVE,
    order,
    lockPath,
    ...(options.thorough && SHORT_WAIT),
  });
  return storeOf(queue, settings, options);
}

/**
 * Opens a data directory that holds a queue, or returns `undefined`: for commands
 * that have nothing to do where there is none.
 *
 * @param err Is told which files were open to other users until now.
 * @throws {Error} if the data directory, or the queue in it, cannot be used.
 */
export function openStoreIfThere(
  settings: Settings,
  err: (line: string) => void,
): Store | undefined {
  if (!hasQueue(settings)) return undefined;
  prepare(settings, (closed) => err(`jarvis-agent: ${closed}`));
  return storeOf(
    new UploadQueue(queuePath(settings.dataDir), RESERVE),
    settings,
  );
}

/**
 * Opens a data directory that holds a queue, as {@linkcode openStoreIfThere} does.
 *
 * @throws {Error} also if there is none.
 */
export function openExistingStore(
  settings: Settings,
  err: (line: string) => void,
): Store {
  const store = openStoreIfThere(settings, err);
  if (store) return store;
  throw new Error(noQueue(settings));
}

/** A queue and its spool, open to be looked at. */
export interface StoreView extends Disposable {
  queue: UploadQueue;
  /** `undefined` if nothing was ever copied. */
  spool: Spool | undefined;
}

/**
 * Opens a queue to look at it, or returns `undefined` if there is none. Nothing is
 * made, and no permission is changed but the queue's own.
 *
 * @throws {Error} if the data directory, or the queue in it, cannot be used.
 */
export function lookInto(settings: Settings): StoreView | undefined {
  if (!hasQueue(settings)) return undefined;
  naming(() => assertOwnDataDir(settings.dataDir));
  const queue = openToLook(settings);
  const dir = spoolDir(settings.dataDir);
  return {
    queue,
    spool: statIfThere(dir) && new Spool(dir),
    [Symbol.dispose]: () => queue.close(),
  };
}

/** Returns a message that there is no queue, and where one was looked for. */
export function noQueue(settings: Settings): string {
  return `There is no queue in "${settings.dataDir}" (--data-dir names another directory)`;
}

function prepare(
  { dataDir }: Settings,
  report: (closed: string) => void,
): void {
  naming(() => prepareDataDir(dataDir)).forEach(report);
}

function naming<T>(act: () => T): T {
  try {
    return act();
  } catch (cause) {
    throw new Error(`${messageOf(cause)} (--data-dir names it)`, { cause });
  }
}

/** Whether the data directory holds a queue already. */
export function hasQueue({ dataDir }: Settings): boolean {
  return naming(() => holdsQueue(dataDir));
}

/** Even to be read a queue needs a directory that can be written to, and some room. */
function openToLook(settings: Settings): UploadQueue {
  try {
    return new UploadQueue(queuePath(settings.dataDir), {
      ...RESERVE,
      looksOnly: true,
    });
  } catch (error) {
    naming(() => assertWritable(settings.dataDir));
    throw error;
  }
}

function storeOf(
  queue: UploadQueue,
  settings: Settings,
  options: { log?: Log } = {},
): Store {
  const spool = new Spool(spoolDir(settings.dataDir));
  return {
    queue,
    spool,
    intake: new Intake(queue, spool, { ...settings, ...options }),
    [Symbol.dispose]() {
      spool[Symbol.dispose]();
      queue.close();
    },
  };
}
