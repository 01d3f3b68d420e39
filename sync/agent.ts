import { delay } from "@std/async/delay";
import { basename, dirname, join } from "@std/path";
import { Breaker } from "./breaker.ts";
import { reached } from "./fault_point.ts";
import { ProcessLock } from "./lock.ts";
import type { Log } from "./log.ts";
import { type Metadata, parseMetadata } from "./metadata.ts";
import type { AgentState, QueuedCapture, Settlement } from "./queue.ts";
import { OutageLog } from "./outage_log.ts";
import { Settler } from "./settler.ts";
import type { UploadOptions, UploadResult } from "./uploader.ts";

/** What the agent needs of a queue; `UploadQueue` is one. */
export interface AgentQueue {
  readonly path: string;
  claim(limit: number): QueuedCapture[];
  settle(settlements: Settlement[]): number;
  recover(): number;
  makeAllDue(): void;
  nextDueMs(): number | null;
  dataVersion(): number;
  getAgentState(): AgentState;
  setAgentState(
    state: Omit<AgentState, "syncRequested" | "syncCompleted">,
  ): void;
  completeSync(requested: number): void;
}

/** What the agent needs of an uploader; `CaptureUploader` is one. */
export interface AgentUploader {
  readonly serverUrl: string;
  upload(
    path: string,
    metadata: Metadata,
    options: UploadOptions,
  ): Promise<UploadResult>;
  checkServer(options: { signal?: AbortSignal }): Promise<boolean>;
}

/** What brings captures into the queue while the agent runs; `FolderWatcher` is one. */
export interface AgentWatcher {
  scan(): Promise<void>;
  run(signal: AbortSignal, onReady?: () => void): Promise<void>;
}

/** Options for {@linkcode SyncAgent}. */
export interface SyncAgentOptions {
  queue: AgentQueue;
  uploader: AgentUploader;
  /** @default {nothing is logged} */
  log?: Log;
  watcher?: AgentWatcher;
  breaker?: Breaker;
  /**
   * How many captures are sent at a time, at most.
   *
   * @default {4}
   */
  concurrency?: number;
  /**
   * How long uploads in flight may go on when the agent is to stop, in milliseconds.
   *
   * @default {10000}
   */
  graceMs?: number;
  /**
   * Whether a file that was changed after it was handed over is refused instead
   * of sent as it is now.
   *
   * @default {false}
   */
  refuseChanged?: boolean;
  /** Where a capture's bytes are. @default {its `filepath`} */
  pathOf?: (capture: QueuedCapture) => string;
  /** Tidies up behind a delivery that is committed. */
  onDelivered?: (capture: QueuedCapture, result: UploadResult) => void;
}

/** What one pass did. */
export interface PassReport {
  delivered: number;
  /** Captures that are `failed` now. */
  failed: number;
  /** Captures that will be tried again, charged or not. */
  postponed: number;
}

/** Another process is this queue's agent. */
export class AgentRunningError extends Error {
  override name = "AgentRunningError";
  readonly pid: number | null;

  constructor(path: string, pid: number | null) {
    const who = pid === null ? "another process" : `process ${pid}`;
    super(`Cannot be the agent of "${path}": ${who} is its agent already`);
    this.pid = pid;
  }
}

/** How often the agent looks whether another process changed the queue, in milliseconds. */
const LOOK_MS = 1000;
/** How long a capture steps aside, at first, for which a ready server could not be used. */
const ASIDE_MS = 60_000;
const MAX_ASIDE_MS = 600_000;
/** The longest that nothing is looked at: a wall clock may have jumped. */
const MAX_IDLE_MS = 60_000;

/** The lock that makes a process the agent of a queue. */
export function agentLockPath(queuePath: string): string {
  return join(dirname(queuePath), "agent.lock");
}

/**
 * Delivers what is in the queue: claims what is due, uploads several at a time,
 * and settles each capture by what its outcome means.
 *
 * While the server cannot be used the queue stays as it is, and one probe at a
 * time asks whether it is back. There is one agent for a queue: the second one
 * is told so.
 */
export class SyncAgent {
  readonly #options: SyncAgentOptions;
  readonly #queue: AgentQueue;
  readonly #uploader: AgentUploader;
  readonly #breaker: Breaker;
  readonly #settler: Settler;
  readonly #outages: OutageLog;
  readonly #log: Log;
  readonly #claimed: QueuedCapture[] = [];
  /** How often a capture has stepped aside. */
  readonly #aside = new Map<string, number>();
  #report: PassReport = { delivered: 0, failed: 0, postponed: 0 };
  #syncRequested = 0;
  #said: string | undefined;
  #wake: () => void = () => {};

  constructor(options: SyncAgentOptions) {
    this.#options = options;
    this.#queue = options.queue;
    this.#uploader = options.uploader;
    this.#breaker = options.breaker ?? new Breaker();
    this.#log = options.log ?? (() => {});
    this.#settler = new Settler(options.queue, this.#log);
    this.#outages = new OutageLog(this.#log);
  }

  /**
   * Does one full pass and returns what it did: looks through the watched
   * folders, then sends what is due until nothing is, or the server cannot be
   * used.
   *
   * @throws {AgentRunningError} if another process is this queue's agent.
   * @throws the signal's reason, if it aborts: uploads in flight are put back.
   */
  async runOnce(signal?: AbortSignal): Promise<PassReport> {
    using _lock = await this.#lock();
    this.#start();
    try {
      await this.#options.watcher?.scan();
      await this.#pass(signal ?? NEVER, signal ?? NEVER);
      signal?.throwIfAborted();
      return this.#report;
    } finally {
      this.#end();
    }
  }

  /**
   * Delivers what is there and what comes, until the signal aborts: then claims
   * nothing new, gives uploads in flight their time, and puts the rest back.
   *
   * @param options `onLocked` is called when this process is the queue's agent,
   * `onReady` when the watched folders were looked through once as well.
   * @throws {AgentRunningError} if another process is this queue's agent.
   */
  async run(
    signal: AbortSignal,
    options: { onLocked?: () => void; onReady?: () => void } = {},
  ): Promise<void> {
    using _lock = await this.#lock();
    options.onLocked?.();
    this.#start();
    const { watcher, graceMs = 10_000 } = this.#options;
    const hardStop = new AbortController();
    const onAbort = () => {
      this.#wake();
      hardStopTimer = setTimeout(() => hardStop.abort(), graceMs);
    };
    let hardStopTimer: ReturnType<typeof setTimeout> | undefined;
    signal.addEventListener("abort", onAbort, { once: true });
    const looking = this.#lookForChanges(signal);
    const watching = watcher?.run(signal, options.onReady);
    if (!watcher) options.onReady?.();
    try {
      while (!signal.aborted) {
        const requested = this.#syncRequested;
        await this.#pass(signal, hardStop.signal);
        if (requested > 0) this.#completeSync(requested);
        if (!signal.aborted) await this.#idle();
      }
    } finally {
      clearTimeout(hardStopTimer);
      this.#end();
    }
    await Promise.all([looking, watching]);
  }

  /** Says that this process has put something into the queue; others are noticed. */
  wake(): void {
    this.#wake();
  }

  async #lock(): Promise<ProcessLock> {
    const path = agentLockPath(this.#queue.path);
    // Somebody may just be looking whether an agent runs.
    for (let tries = 0; tries < 3; tries++) {
      const lock = await ProcessLock.tryAcquire(path);
      if (lock) return lock;
      await delay(100);
    }
    throw new AgentRunningError(
      this.#queue.path,
      this.#queue.getAgentState().pid,
    );
  }

  #start(): void {
    const interrupted = this.#queue.recover();
    if (interrupted > 0) {
      this.#log(
        "info",
        `${interrupted} captures were in flight when the last agent ended: pending again`,
      );
    }
    this.#report = { delivered: 0, failed: 0, postponed: 0 };
    this.#say();
  }

  #end(): void {
    this.#said = undefined;
    this.#settler.flush();
    this.#putBack();
    this.#queue.setAgentState({
      ...this.#queue.getAgentState(),
      pid: null,
    });
  }

  /**
   * @param stop Nothing is claimed any more when it aborts.
   * @param abort Uploads in flight end when it aborts.
   */
  async #pass(stop: AbortSignal, abort: AbortSignal): Promise<void> {
    if (this.#breaker.isOpen) {
      if (this.#breaker.waitMs() > 0) return;
      const ready = await this.#uploader.checkServer({ signal: stop });
      if (stop.aborted) return;
      if (ready) this.#breaker.close();
      else this.#breaker.probeFailed();
      this.#say();
    }
    await this.#drain(stop, abort);
    this.#settler.flush();
    this.#putBack();
  }

  /** Sends captures, each place taken again as soon as it is free. */
  async #drain(stop: AbortSignal, abort: AbortSignal): Promise<void> {
    const running = new Set<Promise<void>>();
    const { concurrency = 4 } = this.#options;
    while (true) {
      while (
        !stop.aborted && running.size < this.#breaker.allowed(concurrency)
      ) {
        const capture = this.#next(concurrency);
        if (!capture) break;
        const upload = this.#upload(capture, abort)
          .finally(() => running.delete(upload));
        running.add(upload);
      }
      if (running.size === 0) return;
      // What is enqueued meanwhile takes the free places.
      const woken = new Promise<void>((resolve) => this.#wake = resolve);
      await Promise.race([...running, woken]);
    }
  }

  #next(concurrency: number): QueuedCapture | undefined {
    if (this.#claimed.length === 0) {
      this.#claimed.push(...this.#queue.claim(concurrency * 2));
    }
    return this.#claimed.shift();
  }

  /** Gives back what was claimed and not begun. */
  #putBack(): void {
    const claimed = this.#claimed.splice(0);
    if (claimed.length === 0) return;
    this.#queue.settle(claimed.map(({ id }) => ({ id, kind: "released" })));
  }

  async #upload(capture: QueuedCapture, abort: AbortSignal): Promise<void> {
    const { id, size, mtimeMs } = capture;
    const { pathOf, refuseChanged = false } = this.#options;
    const known = size !== null && mtimeMs !== null;
    try {
      const result = await this.#uploader.upload(
        pathOf ? pathOf(capture) : capture.filepath,
        parseMetadata(capture.metadataJson),
        {
          idempotencyKey: id,
          filename: basename(capture.filepath),
          signal: abort,
          ...(refuseChanged && known && { expected: { size, mtimeMs } }),
        },
      );
      reached("answered");
      await this.#judge(capture, result, abort);
    } catch (error) {
      if (abort.aborted) return this.#settler.add({ id, kind: "released" });
      // Nothing that a later attempt would change.
      this.#fail(
        capture,
        error instanceof Error ? error.message : String(error),
      );
    }
    this.#say();
  }

  /** What becomes of the capture and of the server's standing; see `outcome.ts`. */
  async #judge(
    capture: QueuedCapture,
    result: UploadResult,
    signal: AbortSignal,
  ): Promise<void> {
    const { id } = capture;
    const error = result.error ?? "no reason given";
    switch (result.outcome) {
      case "delivered":
        this.#deliver(capture, result);
        return this.#breaker.succeeded();
      case "reject":
        this.#fail(capture, error);
        // Without a file nothing was asked of the server.
        return result.sent ? this.#breaker.succeeded() : undefined;
      case "retry":
        if (await this.#uploader.checkServer({ signal })) {
          this.#report.postponed++;
          this.#settler.add({ id, kind: "charged", error });
          this.#log(
            "warn",
            `${nameOf(capture)} was not taken, will be tried again: ${error}`,
          );
          return this.#breaker.succeeded();
        }
        this.#breaker.trip({ ...result, state: "down", reason: error });
        this.#report.postponed++;
        return this.#settler.add({ id, kind: "released", error });
      case "pause":
        return await this.#pause(capture, result, signal);
    }
  }

  /**
   * The server cannot be used, as far as this capture shows. If it says all the
   * same that it is ready, the fault may lie with this capture (a file that a
   * proxy on the way refuses): it steps aside, uncharged, so that the next trial
   * is made with another one.
   */
  async #pause(
    capture: QueuedCapture,
    result: UploadResult,
    signal: AbortSignal,
  ): Promise<void> {
    const { id } = capture;
    const reason = result.error ?? "no reason given";
    const asked = result.retryAfterMs !== null;
    const ready = asked || await this.#uploader.checkServer({ signal });
    this.#breaker.trip({
      state: ready ? "paused" : "down",
      reason,
      retryAfterMs: result.retryAfterMs,
    });
    this.#report.postponed++;
    if (asked || !ready) {
      return this.#settler.add({ id, kind: "released", error: reason });
    }
    const times = this.#aside.get(id) ?? 0;
    if (this.#aside.size >= 1000) this.#aside.clear();
    this.#aside.set(id, times + 1);
    const delayMs = Math.min(ASIDE_MS * 2 ** times, MAX_ASIDE_MS);
    this.#settler.add({ id, kind: "deferred", error: reason, delayMs });
  }

  #deliver(capture: QueuedCapture, result: UploadResult): void {
    this.#report.delivered++;
    this.#aside.delete(capture.id);
    this.#settler.add({
      id: capture.id,
      kind: "delivered",
      captureId: result.captureId,
      ...(result.sent && { sent: result.sent }),
    }, () => {
      reached("settled");
      this.#options.onDelivered?.(capture, result);
      reached("spool-removed");
    });
    if (result.warning) {
      this.#log("warn", `${nameOf(capture)}: ${result.warning}`);
    }
    this.#log("debug", `${nameOf(capture)} is delivered`);
  }

  #fail(capture: QueuedCapture, error: string): void {
    this.#report.failed++;
    this.#settler.add({ id: capture.id, kind: "rejected", error });
    this.#log(
      "error",
      `${
        nameOf(capture)
      } failed and is kept until it is retried or removed: ${error}`,
    );
  }

  /** Waits until something is due, something came, or the agent is to stop. */
  #idle(): Promise<void> {
    const waitMs = this.#breaker.isOpen
      ? this.#breaker.waitMs()
      : this.#queue.nextDueMs() ?? MAX_IDLE_MS;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(waitMs, MAX_IDLE_MS));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      // A request that came while the pass ended.
      if (this.#syncRequested > 0) this.#wake();
    });
  }

  /** Notices what other processes change: at once by an event, else within a second. */
  async #lookForChanges(signal: AbortSignal): Promise<void> {
    let version = -1;
    const look = () => {
      const now = this.#queue.dataVersion();
      if (now === version) return;
      version = now;
      this.#noticeSync();
      this.#wake();
    };
    const timer = setInterval(look, LOOK_MS);
    look();
    const watcher = Deno.watchFs(agentLockPath(this.#queue.path));
    const stop = () => {
      clearInterval(timer);
      watcher.close();
    };
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    for await (const _ of watcher) look();
  }

  #noticeSync(): void {
    const { syncRequested, syncCompleted } = this.#queue.getAgentState();
    if (syncRequested <= Math.max(syncCompleted, this.#syncRequested)) return;
    this.#syncRequested = syncRequested;
    this.#queue.makeAllDue();
    this.#breaker.hurry();
  }

  #completeSync(requested: number): void {
    this.#queue.completeSync(requested);
    if (this.#syncRequested === requested) this.#syncRequested = 0;
  }

  /** Tells the log and, in the queue, other processes how the server stands. */
  #say(): void {
    const { state, reason, since } = this.#breaker;
    this.#outages.note({ state, reason, delivered: this.#report.delivered });
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

const NEVER = new AbortController().signal;

/** How the log calls a capture: metadata stays out of it. */
function nameOf(capture: QueuedCapture): string {
  return `Capture "${basename(capture.filepath)}" (${capture.id})`;
}
