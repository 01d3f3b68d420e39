import { dirname } from "@std/path";
import type { SyncAgent } from "../../agent/agent.ts";
import { acquireAgentLock } from "../../agent/agent_lock.ts";
import { counted } from "../../host/counted.ts";
import { variable } from "../../host/environment.ts";
import type { ProcessLock } from "../../host/lock.ts";
import { createLog, type Log } from "../../host/log.ts";
import { messageOf } from "../../host/message_of.ts";
import type { Notifier } from "../../host/notify.ts";
import { sleep } from "../../host/sleep.ts";
import { isJournal } from "../../host/systemd_journal.ts";
import type { UploadQueue } from "../../queue/queue.ts";
import type { CommandContext } from "../command.ts";
import type { Settings } from "../settings/config.ts";
import { isMonitored } from "../settings/monitor_settings.ts";
import { timetablesOf } from "../settings/timetable.ts";
import { openStore, type Store } from "../store.ts";
import { AgentProblems, AwaitedToken } from "./agent_problems.ts";
import { createAgent } from "./create_agent.ts";
import { createUploader } from "./create_uploader.ts";
import { endedAs, Repairs, saveLostQueue } from "./lost_queue.ts";
import { MemoryKeeper, releaseMemory } from "./memory.ts";
import type { Monitoring } from "./monitoring.ts";
import { reconcile } from "./reconciling.ts";
import { Reloader } from "./reload.ts";
import { mayStartLater, statusOf, WAITING } from "./start_obstacle.ts";

/** The time until a failed start is tried again, in milliseconds. */
const AGAIN_MS = 5_000;

/** The agent, anew whenever the settings are others. */
export class Service {
  readonly #reloader: Reloader;
  readonly #notifier: Notifier;
  readonly #write: (line: string) => void;
  readonly #journal = isJournal(variable("JOURNAL_STREAM"));
  readonly #memory = new MemoryKeeper();
  readonly #problems = new AgentProblems();
  readonly #token = new AwaitedToken({
    source: () => this.#settings.token,
    problems: this.#problems,
    log: (...line) => this.#log(...line),
    onRead: () => this.#agent?.hurry(),
  });
  #settings: Settings;
  #reloading = Promise.resolve();
  #monitoring: Monitoring | undefined;
  #log: Log;
  #round = new AbortController();
  #agent: SyncAgent | undefined;
  readonly #repairs = new Repairs();
  /** The open queue and spool, if any. */
  #store: Store | undefined;
  /** Held across reloads, so that no other agent begins in between. */
  #held: { path: string; lock: ProcessLock } | undefined;

  constructor(context: CommandContext, notifier: Notifier) {
    this.#reloader = new Reloader(context);
    this.#notifier = notifier;
    this.#write = context.writeLog;
    this.#settings = context.settings;
    this.#log = this.#createLog();
    context.onReload(() => this.#reloadNext());
  }

  async run(signal: AbortSignal): Promise<void> {
    if (variable("NOTIFY_SOCKET") && !this.#notifier.connected) {
      this.#log("warn", "Cannot tell the service manager how it goes");
    }
    await this.#token.read(signal);
    let waitsFor: string | undefined;
    try {
      while (!signal.aborted) {
        this.#round = new AbortController();
        this.#log = this.#createLog();
        const stop = AbortSignal.any([signal, this.#round.signal]);
        await this.#deliver(stop).catch((error) => {
          if (error === stop.reason) return;
          if (!mayStartLater(error, this.#notifier.connected)) throw error;
          const { message } = error;
          if (message !== waitsFor) this.#log("warn", WAITING + message);
          waitsFor = message;
          return this.#wait(WAITING + message, stop);
        });
      }
    } finally {
      this.#release();
    }
    this.#log("info", "Stopped");
  }

  /** A service that ended would reach its start limit, and stay down when all is well again. */
  async #wait(status: string, signal: AbortSignal): Promise<void> {
    this.#notifier.beat(() => status);
    this.#notifier.ready();
    await sleep(AGAIN_MS, signal);
  }

  /** Makes this process the agent of a queue, unless it is already. */
  async #hold(queue: UploadQueue): Promise<ProcessLock> {
    if (this.#held?.path === queue.path) return this.#held.lock;
    const lock = await acquireAgentLock(queue);
    this.#release();
    this.#held = { path: queue.path, lock };
    return lock;
  }

  #release(): void {
    this.#held?.lock[Symbol.dispose]();
    this.#held = undefined;
  }

  /** Is the agent with the settings as they are now. */
  async #deliver(signal: AbortSignal): Promise<void> {
    const settings = this.#settings;
    const log = this.#log;
    // The agent waits between attempts, not the uploader.
    await using uploader = createUploader(
      { ...settings, token: this.#token },
      { log },
    );
    using store = await openStore(settings, {
      log,
      // Checking all of the queue needs the lock, which is held across reloads.
      thorough: dirname(this.#held?.path ?? "") !== settings.dataDir,
      // The agent waits for a locked queue by itself, and hears signals meanwhile.
      busyTimeoutMs: 1_000,
    });
    const monitoring = await this.#monitor(settings);
    const agent = createAgent({ settings, store, uploader, log }, {
      onAttempt: (attempt) => monitoring?.metrics.count(attempt),
      lock: await this.#hold(store.queue),
      onTurn: () => this.#turn(store.queue),
      onDelivered: () => this.#memory.worked(),
    });
    this.#agent = agent;
    this.#store = store;
    try {
      store.queue.setAgentState(timetablesOf(settings));
    } catch (error) {
      log("warn", `Cannot tell status: ${messageOf(error)}`);
    }
    this.#problems.tell(store.queue);
    const ended = new AbortController();
    const until = AbortSignal.any([signal, ended.signal]);
    const shared = { store, problems: this.#problems, log };
    const shown = monitoring?.run(settings, { ...shared, signal: until });
    const waiting = counted(store.queue.getStats().pending, "capture");
    await agent.run(signal, {
      onLocked: async () => {
        log("info", `Delivering to ${uploader.serverUrl}, ${waiting} waiting`);
        // Before the folders: a watched file whose entry a crash left without a
        // row would be taken over a second time.
        await reconcile(store, { log, signal });
        // Captures that were taken up again should not wait for the next turn.
        agent.wake();
      },
      onReady: () => this.#notifier.ready(),
    }).catch((error) => {
      const release = () => this.#release();
      if (endedAs(error, "replaced")) {
        return saveLostQueue(store, { settings, log, release });
      }
      if (!this.#repairs.mayFollow(error)) throw error;
      log("error", "The queue turned out to be damaged: repairing it");
      release();
    }).finally(async () => {
      this.#agent = this.#store = undefined;
      ended.abort();
      await shown;
    });
  }

  #turn(queue: UploadQueue): void {
    this.#token.turn();
    const renewed = this.#reloader.renewed(queue);
    if (renewed) this.#reloadNext(`Renewed and read again: ${renewed}`);
    this.#problems.tell(queue);
    this.#notifier.beat(() => this.#status());
    this.#memory.turn(() => {
      queue.freeMemory();
      releaseMemory();
    });
  }

  /** Starts the monitoring, if it is wanted: it counts on across reloads. */
  async #monitor({ monitor }: Settings): Promise<Monitoring | undefined> {
    if (!isMonitored(monitor)) return undefined;
    // Rarely needed, and not small.
    const { Monitoring } = await import("./monitoring.ts");
    return this.#monitoring ??= new Monitoring();
  }

  #reloadNext(done = `The ${this.#reloader.what} was read again`): void {
    this.#reloading = this.#reloading.then(() => this.#reload(done));
  }

  async #reload(done: string): Promise<void> {
    this.#notifier.reloading();
    try {
      const { settings, changed, needRestart } = await this.#reloader.reload();
      this.#settings = settings;
      this.#problems.resolved("reload", "token");
      this.#log("info", done);
      for (const name of needRestart) {
        this.#log("warn", `A new ${name} takes a restart to have an effect`);
      }
      // Captures that wait because of the old ones should not wait any longer.
      this.#agent?.hurry();
      // It is ready when the new round is.
      if (changed) return this.#round.abort();
    } catch (error) {
      const message = messageOf(error);
      const problem = `${message}; going on with what held before`;
      this.#log("error", problem, { event: "reload_refused" });
      this.#problems.found("reload", `A reload was refused: ${problem}`);
    }
    if (this.#store) this.#problems.tell(this.#store.queue);
    this.#notifier.status(this.#status());
    this.#notifier.ready();
  }

  #status(): string {
    return statusOf(this.#problems.text, {
      settings: this.#settings,
      look: this.#store,
    });
  }

  #createLog(): Log {
    return createLog({
      write: this.#write,
      journal: this.#journal,
      level: this.#settings.logLevel,
      format: this.#settings.logFormat,
    });
  }
}
