import type { ProcessLock } from "../host/lock.ts";
import type { Log } from "../host/log.ts";
import type { QueuedCapture, UploadQueue } from "../queue/queue.ts";
import type { OpenOriginal } from "../spool/private_copy.ts";
import type { Spool } from "../spool/spool.ts";
import type { OutcomeKind } from "../upload/outcome.ts";
import type { CaptureUploader, UploadResult } from "../upload/uploader.ts";
import type { BatchCompleter } from "./batch_completer.ts";
import type { Patience } from "./patience.ts";
import type { PauseSwitch, Schedule } from "./pause_switch.ts";
import type { Throttle } from "./throttle.ts";

/** A source of captures while the agent runs; `FolderWatcher` is one. */
export interface AgentWatcher {
  scan(): Promise<void>;
  run(signal: AbortSignal, onReady?: () => void): Promise<void>;
}

/** One attempt, as it is counted. */
export interface EndedAttempt {
  outcome: OutcomeKind;
  elapsedMs: number;
  /** The size of the capture in bytes, as far as it is known. */
  bytes: number;
}

/** The results of one pass. */
export interface PassReport {
  delivered: number;
  /** Captures that are `failed` now. */
  failed: number;
  /** Captures that will be tried again, charged or not. */
  postponed: number;
}

/** Options for {@linkcode SyncAgent}. */
export interface SyncAgentOptions {
  queue: UploadQueue;
  uploader: CaptureUploader;
  /** The copies of `spooled` captures; those that are delivered leave it. */
  spool?: Pick<Spool, "pathOf" | "removeDelivered" | "assertReachable">;
  /**
   * Opens the file of a capture that is not `spooled`.
   *
   * @default {by its path; where it is a watched file, a link is not followed}
   */
  openOriginal?: OpenOriginal;
  /**
   * Opens a watched file whose copy in the spool is gone, or damaged; throws unless it
   * lies in a folder that is watched today.
   *
   * @default {nothing is sent in a copy's place}
   */
  openWatched?: OpenOriginal;
  watcher?: AgentWatcher;
  /** @default {nothing is logged} */
  log?: Log;
  /**
   * The queue's agent lock, of a caller who holds it longer than this agent lives
   * (see `acquireAgentLock`).
   *
   * @default {it is taken by `run` and `runOnce`, while they last}
   */
  lock?: ProcessLock;
  /**
   * Decides whether captures may be sent, and how many at a time.
   *
   * @default {one that begins anew}
   */
  throttle?: Throttle;
  /**
   * How many captures are sent at a time, at most: a whole number from 1. How many
   * are is found out (see `Concurrency`).
   *
   * @default {32}
   */
  concurrency?: number;
  /**
   * When captures are sent. Those under way when that ends are broken off, and
   * released. `runOnce` and a person's `sync` do not ask.
   *
   * @default {always}
   */
  schedule?: Schedule | undefined;
  /**
   * How long uploads under way may go on when the agent is to stop, in milliseconds.
   *
   * @default {10000}
   */
  graceMs?: number;
  /**
   * How long a capture waits the first time that it cannot be sent now for a reason
   * of its own, in milliseconds.
   *
   * @default {60000}
   */
  snoozeMs?: number;
  /** Is called when a delivery is committed, and waited for. */
  onDelivered?: (
    capture: QueuedCapture,
    result: UploadResult,
  ) => void | Promise<void>;
  /**
   * Is called when a capture's file is gone, or is another one, and returns whether it
   * may be found under another name: then the capture waits once before it fails.
   */
  onMissed?: (capture: QueuedCapture) => boolean;
  /** Is called when it is recorded that a capture failed. */
  onFailed?: (capture: QueuedCapture) => void;
  /** Is called when an attempt has ended. */
  onAttempt?: (attempt: EndedAttempt) => void;
  /** Is called at every turn of the loop that does the work, at least every 5 s. */
  onTurn?: () => void;
}

/** The options and objects that the parts of an agent share. */
export interface AgentParts extends SyncAgentOptions {
  throttle: Throttle;
  log: Log;
  completer: BatchCompleter;
  patience: Patience;
  pause: PauseSwitch;
}

/** Options for `SyncAgent.run`. */
export interface RunOptions {
  /**
   * Is called when this process is the queue's agent, and waited for before the
   * watched folders are looked through.
   */
  onLocked?: () => void | Promise<void>;
  /** Is called when the watched folders were looked through once. */
  onReady?: () => void;
}
