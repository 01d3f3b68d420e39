import { acquireAgentLock, agentLockPath } from "./agent_lock.ts";
import { Breaker } from "./breaker.ts";
import {
  Delivery,
  type DeliveryOptions,
  type DeliveryQueue,
  type DeliveryUploader,
  TURN_MS,
} from "./delivery.ts";
import type { PassReport } from "./outcome_handler.ts";
import type { Log } from "../host/log.ts";
import { OutageLog } from "./outage_log.ts";
import type { AgentState, QueueStats } from "../queue/queue.ts";
import { Wakeup } from "../host/wakeup.ts";

/** What the agent needs of a queue; `UploadQueue` is one. */
export interface AgentQueue extends DeliveryQueue {
  readonly path: string;
  recover(): number;
  makeAllDue(): void;
  nextDueMs(): number | null;
  dataVersion(): number;
  getStats(): QueueStats;
  getAgentState(): AgentState;
  setAgentState(
    state: Omit<AgentState, "syncRequested" | "syncCompleted">,
  ): void;
  completeSync(requested: number): void;
}

/** What the agent needs of an uploader; `CaptureUploader` is one. */
export interface AgentUploader extends DeliveryUploader {
  readonly serverUrl: string;
}

/** What brings captures into the queue while the agent runs; `FolderWatcher` is one. */
export interface AgentWatcher {
  scan(): Promise<void>;
  run(signal: AbortSignal, onReady?: () => void): Promise<void>;
}

/** Options for {@linkcode SyncAgent}. */
export interface SyncAgentOptions extends DeliveryOptions {
  queue: AgentQueue;
  uploader: AgentUploader;
  /** @default {nothing is logged} */
  log?: Log;
  watcher?: AgentWatcher;
  breaker?: Breaker;
  /**
   * How long uploads under way may go on when the agent is to stop, in milliseconds.
   *
   * @default {10000}
   */
  graceMs?: number;
  /**
   * A clock that never jumps, in milliseconds, for the times between probes.
   *
   * @default {performance.now}
   */
  now?: () => number;
}

/**
 * How often the agent looks whether another process changed the queue, in
 * milliseconds: most of what an idle agent costs is to be woken.
 */
const LOOK_MS = 2_000;

/**
 * Delivers what is in the queue: claims what is due, uploads several at a time,
 * and settles each capture by what its outcome means.
 *
 * While the server cannot be used the queue stays as it is, and one probe at a
 * time asks whether it is back. There is one agent for a queue: a second one is
 * refused.
 */
export class SyncAgent {
  readonly #queue: AgentQueue;
  readonly #uploader: AgentUploader;
  readonly #watcher: AgentWatcher | undefined;
  readonly #graceMs: number;
  readonly #onTurn: () => void;
  readonly #log: Log;
  readonly #breaker: Breaker;
  readonly #wakeup = new Wakeup();
  readonly #delivery: Delivery;
  readonly #outages: OutageLog;
  #syncRequested = 0;
  #dataVersion = -1;
  #said: string | undefined;

  constructor(options: SyncAgentOptions) {
    this.#queue = options.queue;
    this.#uploader = options.uploader;
    this.#watcher = options.watcher;
    this.#graceMs = options.graceMs ?? 10_000;
    this.#log = options.log ?? (() => {});
    this.#breaker = options.breaker ?? new Breaker(options);
    this.#outages = new OutageLog(this.#log, options.now);
    this.#onTurn = () => {
      this.#tell();
      options.onTurn?.();
    };
    this.#delivery = new Delivery({
      queue: options.queue,
      uploader: options.uploader,
      breaker: this.#breaker,
      wakeup: this.#wakeup,
      log: this.#log,
    }, { ...options, onTurn: this.#onTurn });
  }

  /**
   * Does one full pass and returns what it did: looks through the watched
   * folders, then sends what is due until nothing is, or the server cannot be
   * used.
   *
   * @param options `onLocked` is called first, when this process is the queue's
   * agent, and waited for.
   * @throws {AgentRunningError} if another process is this queue's agent.
   * @throws the signal's reason, if it aborts: uploads under way are put back.
   */
  async runOnce(
    signal: AbortSignal = new AbortController().signal,
    options: { onLocked?: () => void | Promise<void> } = {},
  ): Promise<PassReport> {
    using _lock = await acquireAgentLock(this.#queue);
    await options.onLocked?.();
    this.#begin();
    try {
      await this.#watcher?.scan();
      const report = await this.#pass(signal, signal);
      signal.throwIfAborted();
      return report;
    } finally {
      this.#end();
    }
  }

  /**
   * Delivers what is there and what comes, until the signal aborts: then begins
   * nothing new, gives uploads under way their time, and puts the rest back.
   *
   * @param options `onLocked` is called when this process is the queue's agent;
   * watching begins when what it returns is settled. `onReady` is called when
   * the watched folders were looked through once as well.
   * @throws {AgentRunningError} if another process is this queue's agent.
   * @throws {Error} if the queue cannot be used any more.
   */
  async run(
    signal: AbortSignal,
    options: {
      onLocked?: () => void | Promise<void>;
      onReady?: () => void;
    } = {},
  ): Promise<void> {
    using _lock = await acquireAgentLock(this.#queue);
    const prepared = options.onLocked?.();
    this.#begin();
    // Ends everything else as well if one part fails.
    const failed = new AbortController();
    const stop = AbortSignal.any([signal, failed.signal]);
    const parts = [
      this.#work(stop),
      this.#lookForChanges(stop),
      Promise.resolve(prepared)
        .then(() => this.#watcher?.run(stop, options.onReady)),
    ];
    if (!this.#watcher) options.onReady?.();
    try {
      await Promise.all(parts);
    } catch (error) {
      failed.abort();
      await Promise.allSettled(parts);
      throw error;
    } finally {
      this.#end();
    }
  }

  /** Says that this process has put something into the queue; others are noticed. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** Makes everything due and the server worth a probe, now. */
  hurry(): void {
    this.#queue.makeAllDue();
    this.#breaker.hurry();
    this.#wakeup.wake();
  }

  async #work(stop: AbortSignal): Promise<void> {
    const abort = new AbortController();
    let graceTimer: ReturnType<typeof setTimeout> | undefined;
    stop.addEventListener("abort", () => {
      this.#wakeup.wake();
      graceTimer = setTimeout(() => abort.abort(), this.#graceMs);
    }, { once: true });
    while (!stop.aborted) {
      const requested = this.#syncRequested;
      await this.#pass(stop, abort.signal);
      if (requested > 0) this.#completeSync(requested);
      this.#onTurn();
      if (!stop.aborted) await this.#wakeup.sleep(this.#idleMs());
    }
    clearTimeout(graceTimer);
  }

  /**
   * Sends what is due, unless the server cannot be used.
   *
   * @param stop Nothing is begun any more when it aborts.
   * @param abort Uploads under way end when it aborts.
   */
  async #pass(stop: AbortSignal, abort: AbortSignal): Promise<PassReport> {
    const nothing = { delivered: 0, failed: 0, postponed: 0 };
    if (this.#breaker.isOpen) {
      if (this.#breaker.waitMs() > 0) return nothing;
      const ready = await this.#uploader.checkServer({ signal: stop });
      if (stop.aborted) return nothing;
      if (ready) this.#breaker.close();
      else this.#breaker.probeFailed();
    }
    return await this.#delivery.drain(stop, abort);
  }

  /** How long there is nothing to do; not long, because a wall clock may jump. */
  #idleMs(): number {
    if (this.#syncRequested > 0) return 0;
    const waitMs = this.#breaker.isOpen
      ? this.#breaker.waitMs()
      : this.#queue.nextDueMs() ?? TURN_MS;
    return Math.min(waitMs, TURN_MS);
  }

  /** Notices what other processes change: at once by an event, else within two seconds. */
  async #lookForChanges(stop: AbortSignal): Promise<void> {
    const events = this.#touches(stop);
    while (!stop.aborted) {
      const version = this.#queue.dataVersion();
      if (version !== this.#dataVersion) {
        this.#dataVersion = version;
        this.#noticeSync();
        this.#wakeup.wake();
      }
      await events.sleep(LOOK_MS);
    }
  }

  /** Wakes whenever somebody touches the lock file, as `nudgeAgent` does. */
  #touches(stop: AbortSignal): Wakeup {
    const wakeup = new Wakeup();
    stop.addEventListener("abort", () => wakeup.wake(), { once: true });
    let watcher: Deno.FsWatcher;
    try {
      watcher = Deno.watchFs(agentLockPath(this.#queue.path));
    } catch {
      // No watches left on this system: then every two seconds.
      return wakeup;
    }
    stop.addEventListener("abort", () => watcher.close(), { once: true });
    (async () => {
      for await (const _event of watcher) wakeup.wake();
    })().catch(() => {});
    return wakeup;
  }

  #noticeSync(): void {
    const { syncRequested, syncCompleted } = this.#queue.getAgentState();
    if (syncRequested <= Math.max(syncCompleted, this.#syncRequested)) return;
    this.#syncRequested = syncRequested;
    this.hurry();
  }

  #completeSync(requested: number): void {
    this.#queue.completeSync(requested);
    if (this.#syncRequested === requested) this.#syncRequested = 0;
  }

  #begin(): void {
    const interrupted = this.#queue.recover();
    if (interrupted > 0) {
      this.#log(
        "info",
        `${interrupted} captures were under way when the last agent ended: pending again`,
      );
    }
    this.#tell();
  }

  #end(): void {
    this.#tell();
    this.#said = undefined;
    this.#queue.setAgentState({ ...this.#queue.getAgentState(), pid: null });
  }

  /** Tells the log and, through the queue, other processes how the server stands. */
  #tell(): void {
    const { state, reason, since } = this.#breaker;
    this.#outages.note(state, reason, () => {
      const { pending, uploading } = this.#queue.getStats();
      return pending + uploading;
    });
    const saying = `${state} ${reason}`;
    if (saying === this.#said) return;
    this.#said = saying;
    this.#queue.setAgentState({
      pid: Deno.pid,
      serverUrl: this.#uploader.serverUrl,
      serverState: state,
      serverReason: reason,
      serverSince: since,
    });
  }
}
