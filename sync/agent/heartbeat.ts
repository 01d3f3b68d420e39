import { dirname, join } from "@std/path";
import { HEARTBEAT_FILE } from "../host/data_dir_paths.ts";
import { statIfThere } from "../host/files.ts";
import { createPrivateFile } from "../host/private_files.ts";

/** Between two signs of life, in milliseconds. */
const BEAT_MS = 4_000;
/** Without one for so long an agent hangs, in milliseconds. */
const HANGING_MS = 30_000;

/**
 * The agent's sign of life: the modification time of a file of its own. It costs no
 * commit, and goes on while another process holds the queue locked.
 */
export class Heartbeat {
  readonly #path: string;
  #beatAt = -Infinity;

  constructor(queuePath: string) {
    this.#path = heartbeatPath(queuePath);
  }

  /** The agent's loop has made a turn. Called more often than every 4 s it does nothing. */
  beat(): void {
    if (performance.now() - this.#beatAt < BEAT_MS) return;
    this.#beatAt = performance.now();
    const now = new Date();
    try {
      createPrivateFile(this.#path);
      Deno.utimeSync(this.#path, now, now);
    } catch {
      // A full disk has no place for it; the agent says so by other means.
    }
  }
}

/** A queue's agent runs, and does not answer requests. */
export class AgentHangsError extends Error {
  override name = "AgentHangsError";
}

/** When a queue's agent last made a turn, in milliseconds since 1970; `null` if none ever did. */
export function lastBeatMs(queuePath: string): number | null {
  return statIfThere(heartbeatPath(queuePath))?.mtime?.getTime() ?? null;
}

/** Whether a sign of life says that the agent hangs. One of the future is from before the clock was set back. */
export function isHanging(beatMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - beatMs) > HANGING_MS;
}

function heartbeatPath(queuePath: string): string {
  return join(dirname(queuePath), HEARTBEAT_FILE);
}
