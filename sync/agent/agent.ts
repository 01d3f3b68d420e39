import { delay } from "@std/async/delay";
import type { Log } from "../host/log.ts";
import { Wakeup } from "../host/wakeup.ts";
import type { UploadQueue } from "../queue/queue.ts";
import { acquireAgentLock } from "./agent_lock.ts";
import type { RunOptions, SyncAgentOptions } from "./agent_options.ts";
import { BatchCompleter } from "./batch_completer.ts";
import { Delivery, TURN_MS } from "./delivery.ts";
import { Heartbeat } from "./heartbeat.ts";
import { OutcomeHandler, type PassReport } from "./outcome_handler.ts";
import { Patience } from "./patience.ts";
import { PauseSwitch } from "./pause_switch.ts";
import { watchQueue } from "./queue_changes.ts";
import { ServerReport } from "./server_report.ts";
import { SHORT_WAIT_MS, Throttle } from "./throttle.ts";

export type { AgentWatcher, SyncAgentOptions } from "./agent_options.ts";

/** So many waits in a row that bring nothing end a pass. */
const MAX_FRUITLESS = 5;

/**
 * Delivers what is in the queue: claims what is due, uploads several at a time,
 * and completes each capture by what its outcome means.
 *
 * While the server cannot be used the queue stays as it is, and a few captures at
 * a time are tried. While the queue cannot be used (another process holds it
 * locked, the disk is full) the agent waits for it. There is one agent for a
 * queue: a second one is refused.
 */
export class SyncAgent {
  readonly #options: SyncAgentOptions;
  readonly #queue: UploadQueue;
  readonly #log: Log;
  readonly #patience: Patience;
  readonly #throttle: Throttle;
  readonly #wakeup = new Wakeup();
  readonly #outcomes: OutcomeHandler;
  readonly #delivery: Delivery;
  readonly #report: ServerReport;
  readonly #pause: PauseSwitch;
  readonly #heartbeat: Heartbeat;
  #syncRequested = 0;
  #probesRequested = 0;

  constructor(options: SyncAgentOptions) {
    const { queue, uploader, concurrency, schedule, log = () => {} } = options;
    const { throttle = new Throttle({ concurrency }) } = options;
    this.#options = options;
    this.#queue = queue;
    this.#log = log;
    this.#throttle = throttle;
    const patience = this.#patience = new Patience(log);
    const pause = this.#pause = new PauseSwitch(queue, { log, schedule });
    this.#heartbeat = new Heartbeat(queue.path);
    const { serverUrl } = uploader;
    this.#report = new ServerReport(queue, { throttle, serverUrl, log });
    const completer = new BatchCompleter(queue, { patience, log });
    const parts = { ...options, throttle, log, completer, patience, pause };
    this.#outcomes = new OutcomeHandler(parts);
    this.#delivery = new Delivery({
      ...parts,
      outcomes: this.#outcomes,
      wakeup: this.#wakeup,
      onTurn: () => this.#turn(),
    });
  }

  /**
   * Does one full pass and returns what it did: looks through the watched
   * folders, then sends what is due until nothing is, or the server cannot be
   * used.
   *
   * @throws {AgentRunningError} if another process is this queue's agent.
   * @throws {DatabaseError} if the queue cannot be used any more.
   * @throws the signal's reason, if it aborts: uploads under way are put back.
   */
  async runOnce(
    signal: AbortSignal = new AbortController().signal,
    options: Pick<RunOptions, "onLocked"> = {},
  ): Promise<PassReport> {
    using _lock = await this.#acquireLock();
    await this.#start(signal);
    try {
      await options.onLocked?.();
      await this.#options.watcher?.scan();
      const report = await this.#pass(signal, signal);
      signal.throwIfAborted();
      return report;
    } finally {
      this.#patience.try(() => this.#report.end());
    }
  }

  /**
   * Delivers what is there and what comes, until the signal aborts: then begins
   * nothing new, gives uploads under way their time, and puts the rest back.
   *
   * @throws {AgentRunningError} if another process is this queue's agent.
   * @throws {DatabaseError} if the queue cannot be used any more.
   * @throws {UnrecordedError} if outcomes could not be recorded before the end.
   */
  async run(
    signal: AbortSignal,
    options: RunOptions = {},
  ): Promise<void> {
    using _lock = await this.#acquireLock();
    await this.#start(signal);
    // Ends everything else as well if one part fails.
    const failed = new AbortController();
    const stop = AbortSignal.any([signal, failed.signal]);
    const parts = [
      this.#watch(stop, options),
      this.#work(stop),
      watchQueue(this.#queue, {
        onChange: () => this.#noticeChange(),
        patience: this.#patience,
        signal: stop,
      }),
    ];
    try {
      await Promise.all(parts);
    } catch (error) {
      failed.abort();
      await Promise.allSettled(parts);
      throw error;
    } finally {
      this.#patience.try(() => this.#report.end());
    }
  }

  /** Says that this process has put something into the queue; others are noticed. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** Makes everything due and the server worth a probe, now. */
  hurry(): void {
    this.#patience.try(() => this.#queue.makeAllDue());
    this.#throttle.hurry();
    this.#wakeup.wake();
  }

  async #watch(stop: AbortSignal, options: RunOptions): Promise<void> {
    await options.onLocked?.();
    const { watcher } = this.#options;
    if (watcher) await watcher.run(stop, options.onReady);
    else options.onReady?.();
  }

  async #work(stop: AbortSignal): Promise<void> {
    const abort = new AbortController();
    let graceTimer: ReturnType<typeof setTimeout> | undefined;
    stop.addEventListener("abort", () => {
      this.#wakeup.wake();
      const { graceMs = 10_000 } = this.#options;
      graceTimer = setTimeout(() => abort.abort(), graceMs);
    }, { once: true });
    while (!stop.aborted) {
      const requested = this.#syncRequested;
      if (requested > 0) await this.#pass(stop, abort.signal);
      else await this.#delivery.drain(stop, abort.signal);
      if (requested > 0) this.#completeSync(requested);
      this.#turn();
      if (!stop.aborted) await this.#wakeup.sleep(this.#idleMs());
    }
    clearTimeout(graceTimer);
  }

  /** Sends what is due, as a person asked for it. Short waits are waited out, while they bring something. */
  async #pass(stop: AbortSignal, abort: AbortSignal): Promise<PassReport> {
    this.#pause.isAskedFor = true;
    for (let fruitless = 0; fruitless < MAX_FRUITLESS; fruitless++) {
      const { delivered } = this.#outcomes;
      await this.#delivery.drain(stop, abort);
      if (this.#outcomes.delivered > delivered) fruitless = 0;
      const { standing, waitMs } = this.#throttle;
      const ms = Math.max(waitMs, this.#dueMs());
      const isOver = standing.state === "down" || ms > SHORT_WAIT_MS;
      if (isOver || stop.aborted || this.#pause.isOn) break;
      this.#turn();
      await delay(ms, { signal: stop }).catch(() => {});
    }
    this.#pause.isAskedFor = false;
    return this.#outcomes.takeReport();
  }

  /** How long until a capture is due, in milliseconds. */
  #dueMs(): number {
    return this.#patience.try(() =>
      this.#queue.getPending(1).length > 0 ? 0 : this.#queue.nextDueMs()
    ) ?? Infinity;
  }

  /** How long there is nothing to do; not long, because a wall clock may jump. */
  #idleMs(): number {
    if (this.#syncRequested > 0) return 0;
    if (this.#pause.isOn) return Math.min(this.#pause.leftMs, TURN_MS);
    const waitMs = this.#throttle.mode === "waiting"
      ? this.#throttle.waitMs
      : this.#patience.try(() => this.#queue.nextDueMs()) ?? TURN_MS;
    return Math.min(waitMs, TURN_MS);
  }

  #noticeChange(): void {
    this.#pause.look();
    const state = this.#queue.getAgentState();
    const { probesRequested, syncRequested, syncCompleted } = state;
    if (probesRequested !== this.#probesRequested) this.#throttle.hurry();
    this.#probesRequested = probesRequested;
    this.#wakeup.wake();
    if (syncRequested <= Math.max(syncCompleted, this.#syncRequested)) return;
    this.#syncRequested = syncRequested;
    this.hurry();
  }

  #completeSync(requested: number): void {
    const isDone = this.#patience.try(() => {
      this.#queue.completeSync(requested);
      return true;
    });
    if (isDone && this.#syncRequested === requested) this.#syncRequested = 0;
  }

  async #acquireLock(): Promise<Disposable | undefined> {
    return this.#options.lock ? undefined : await acquireAgentLock(this.#queue);
  }

  async #start(signal: AbortSignal): Promise<void> {
    this.#heartbeat.beat();
    const recover = () => this.#patience.try(() => this.#queue.recover());
    let interrupted = recover();
    while (interrupted === undefined && !signal.aborted) {
      await delay(1000, { signal }).catch(() => {});
      interrupted = recover();
    }
    const what = "Captures under way when the last agent ended, pending again";
    if (interrupted) this.#log("info", `${what}: ${interrupted}`);
    this.#patience.try(() => this.#pause.look());
    this.#patience.try(() => this.#report.tell());
  }

  #turn(): void {
    this.#heartbeat.beat();
    this.#pause.tick();
    this.#patience.try(() => this.#report.tell());
    this.#options.onTurn?.();
  }
}
