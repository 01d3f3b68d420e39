import { sleep } from "../host/sleep.ts";
import { Wakeup } from "../host/wakeup.ts";
import { acquireAgentLock } from "./agent_lock.ts";
import type {
  AgentParts,
  PassReport,
  RunOptions,
  SyncAgentOptions,
} from "./agent_options.ts";
import { BatchCompleter } from "./batch_completer.ts";
import { Delivery, TURN_MS } from "./delivery.ts";
import { Heartbeat } from "./heartbeat.ts";
import { OutcomeHandler } from "./outcome_handler.ts";
import { Patience } from "./patience.ts";
import { PauseSwitch } from "./pause_switch.ts";
import { watchQueue } from "./queue_changes.ts";
import { ServerReport } from "./server_report.ts";
import { SHORT_WAIT_MS } from "./server_state.ts";
import { Throttle } from "./throttle.ts";

/** The number of fruitless waits in a row that end a pass. */
const MAX_FRUITLESS = 5;

/**
 * Delivers the captures in the queue: claims those that are due, uploads several at a
 * time, and completes each by its outcome.
 *
 * While the server cannot be used the queue stays as it is, and a few captures at
 * a time are tried. While the queue cannot be used (another process holds it
 * locked, the disk is full) the agent waits for it. There is one agent for a
 * queue: a second one is refused.
 */
export class SyncAgent {
  readonly #parts: AgentParts;
  readonly #wakeup = new Wakeup();
  readonly #outcomes: OutcomeHandler;
  readonly #delivery: Delivery;
  readonly #report: ServerReport;
  readonly #heartbeat: Heartbeat;
  #syncRequested = 0;
  #probesRequested = 0;

  constructor(options: SyncAgentOptions) {
    const { queue, concurrency, schedule, log = () => {} } = options;
    const { throttle = new Throttle({ concurrency }) } = options;
    const patience = new Patience(log);
    const completer = new BatchCompleter(queue, { patience, log });
    const pause = new PauseSwitch(queue, { log, schedule });
    const parts = { ...options, throttle, log, completer, patience, pause };
    this.#parts = parts;
    this.#heartbeat = new Heartbeat(queue.path);
    this.#report = new ServerReport(parts);
    this.#outcomes = new OutcomeHandler(parts);
    this.#delivery = new Delivery({
      ...parts,
      outcomes: this.#outcomes,
      wakeup: this.#wakeup,
      onTurn: () => this.#turn(),
    });
  }

  /**
   * Does one full pass and returns its results: looks through the watched folders,
   * then sends due captures until there are none, or the server cannot be used.
   *
   * @throws {AgentRunningError} if another process is this queue's agent.
   * @throws {DatabaseError} if the queue cannot be used any more.
   * @throws the signal's reason, if it aborts: captures under way are released.
   */
  async runOnce(
    signal: AbortSignal = new AbortController().signal,
    options: Pick<RunOptions, "onLocked"> = {},
  ): Promise<PassReport> {
    using _lock = await this.#acquireLock();
    await this.#start(signal);
    try {
      await options.onLocked?.();
      await this.#parts.watcher?.scan();
      const report = await this.#pass(signal, signal);
      signal.throwIfAborted();
      return report;
    } finally {
      this.#end();
    }
  }

  /**
   * Delivers all captures, also those still to come, until the signal aborts: then
   * begins nothing new, gives uploads under way their time, and releases the rest.
   *
   * @throws {AgentRunningError} if another process is this queue's agent.
   * @throws {DatabaseError} if the queue cannot be used any more.
   * @throws {Error} if outcomes could not be recorded before the end.
   */
  async run(signal: AbortSignal, options: RunOptions = {}): Promise<void> {
    using _lock = await this.#acquireLock();
    await this.#start(signal);
    // Ends everything else as well if one part fails.
    const failed = new AbortController();
    const stop = AbortSignal.any([signal, failed.signal]);
    const parts = [
      this.#watch(stop, options),
      this.#work(stop),
      watchQueue(this.#parts, {
        onChange: () => this.#noticeChange(),
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
      this.#end();
    }
  }

  /** Tells the agent that this process has enqueued something; other processes are noticed. */
  wake(): void {
    this.#wakeup.wake();
  }

  /** Makes everything due and the server worth a probe, now. */
  hurry(): void {
    const { queue, throttle } = this.#parts;
    this.#try(() => queue.makeAllDue());
    throttle.hurry();
    this.#wakeup.wake();
  }

  async #watch(stop: AbortSignal, options: RunOptions): Promise<void> {
    await options.onLocked?.();
    const { watcher } = this.#parts;
    if (watcher) await watcher.run(stop, options.onReady);
    else options.onReady?.();
  }

  async #work(stop: AbortSignal): Promise<void> {
    const abort = new AbortController();
    let graceTimer: ReturnType<typeof setTimeout> | undefined;
    stop.addEventListener("abort", () => {
      this.#wakeup.wake();
      const { graceMs = 10_000 } = this.#parts;
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

  /** Sends all due captures for a person. Short waits are waited out, while they bring something. */
  async #pass(stop: AbortSignal, abort: AbortSignal): Promise<PassReport> {
    const { pause, throttle, patience } = this.#parts;
    pause.isAskedFor = true;
    for (let fruitless = 0; fruitless < MAX_FRUITLESS; fruitless++) {
      const { delivered } = this.#outcomes;
      await this.#delivery.drain(stop, abort);
      if (this.#outcomes.delivered > delivered) fruitless = 0;
      const { server, waitMs } = throttle;
      const ms = Math.max(waitMs, this.#dueMs(), patience.waitMs);
      const isOver = server.state === "down" || ms > SHORT_WAIT_MS;
      if (isOver || stop.aborted || pause.isOn) break;
      this.#turn();
      await sleep(ms, stop);
    }
    pause.isAskedFor = false;
    return this.#outcomes.takeReport();
  }

  /** How long until a capture is due, in milliseconds. */
  #dueMs(): number {
    const { queue } = this.#parts;
    return this.#try(() =>
      queue.getPending(1).length > 0 ? 0 : queue.nextDueMs()
    ) ?? Infinity;
  }

  /** How long there is nothing to do; not long, because a wall clock may jump. */
  #idleMs(): number {
    const { patience, pause, throttle } = this.#parts;
    let ms: number;
    if (this.#syncRequested > 0) ms = 0;
    else if (pause.isOn) ms = pause.leftMs;
    else if (throttle.mode === "waiting") ms = throttle.waitMs;
    else ms = this.#dueMs();
    // Due captures cannot be claimed from a queue that cannot be written to.
    return Math.max(Math.min(ms, TURN_MS), patience.waitMs);
  }

  #noticeChange(): void {
    const { pause, queue, throttle } = this.#parts;
    pause.look();
    const state = queue.getAgentState();
    const { probesRequested, syncRequested, syncCompleted } = state;
    if (probesRequested !== this.#probesRequested) throttle.hurry();
    this.#probesRequested = probesRequested;
    this.#wakeup.wake();
    if (syncRequested <= Math.max(syncCompleted, this.#syncRequested)) return;
    this.#syncRequested = syncRequested;
    this.hurry();
  }

  #completeSync(requested: number): void {
    this.#try(() => {
      this.#parts.queue.completeSync(requested);
      if (this.#syncRequested === requested) this.#syncRequested = 0;
    });
  }

  async #acquireLock(): Promise<Disposable | undefined> {
    const { lock, queue } = this.#parts;
    return lock ? undefined : await acquireAgentLock(queue);
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { log, patience, pause, queue } = this.#parts;
    this.#heartbeat.beat();
    const interrupted = await patience.insist(() => queue.recover(), signal);
    const what = "Captures under way when the last agent ended, pending again";
    if (interrupted) log("info", `${what}: ${interrupted}`);
    this.#try(() => this.#outcomes.heldBack.makeDueAfterCrash());
    this.#try(() => pause.look());
    this.#try(() => this.#report.tell());
  }

  #end(): void {
    this.#try(() => this.#outcomes.heldBack.makeDueAtEnd());
    this.#try(() => this.#report.end());
  }

  #try<T>(body: () => T): T | undefined {
    return this.#parts.patience.try(body);
  }

  #turn(): void {
    this.#heartbeat.beat();
    this.#try(() => this.#parts.pause.turn());
    this.#try(() => this.#report.tell());
    this.#parts.onTurn?.();
  }
}
