import { join } from "@std/path";
import { agentLockPath } from "../agent.ts";
import type { Settings } from "../config.ts";
import { prepareDataDir, QUEUE_FILE } from "../data_dir.ts";
import { Intake } from "../intake.ts";
import { UploadQueue } from "../queue.ts";
import { Spool } from "../spool.ts";

/** Queue and spool of one data directory, open. */
export interface Store extends Disposable {
  queue: UploadQueue;
  spool: Spool;
  intake: Intake;
}

/**
 * Opens the data directory; makes it if need be.
 *
 * @throws {Error} if it, or the queue in it, cannot be used.
 */
export function openStore(settings: Settings): Store {
  const { dataDir } = settings;
  try {
    prepareDataDir(dataDir);
  } catch (cause) {
    throw new Error(`${(cause as Error).message} (--data-dir names it)`, {
      cause,
    });
  }
  const queue = new UploadQueue(join(dataDir, QUEUE_FILE));
  const spool = new Spool(join(dataDir, "spool"));
  return {
    queue,
    spool,
    intake: new Intake(queue, spool, settings),
    [Symbol.dispose]: () => queue.close(),
  };
}

/** Tells a running agent that the queue has changed; it would notice within a second. */
export function nudgeAgent(queue: UploadQueue): void {
  try {
    const now = new Date();
    Deno.utimeSync(agentLockPath(queue.path), now, now);
  } catch {
    // No agent was ever here.
  }
}
