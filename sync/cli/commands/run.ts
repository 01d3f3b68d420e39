import { dirname } from "@std/path";
import type { SyncAgent } from "../../agent/agent.ts";
import { acquireAgentLock } from "../../agent/agent_lock.ts";
import type { ProcessLock } from "../../host/lock.ts";
import type { UploadQueue } from "../../queue/queue.ts";
import type { Settings } from "../config.ts";
import { isJournal } from "../../host/systemd_journal.ts";
import { createLog, type Log } from "../../host/log.ts";
import { Notifier } from "../../host/notify.ts";
import { createAgent, createUploader, reconcile } from "../agent_parts.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { dryRun } from "../dry_run.ts";
import { MemoryKeeper, releaseMemory } from "../memory.ts";
import type { Monitoring } from "../monitoring.ts";
import { isMonitored } from "../monitor_settings.ts";
import { Reloader } from "../reload.ts";
import { outsideSchedule } from "../timetable.ts";
import { openStore, type Store } from "../store.ts";

/** Is the agent until the program is told to stop. */
export async function run(context: CommandContext): Promise<number> {
  if (context.given.has("dry-run")) return dryRun(context);
  const signal = context.stopSignal();
  const socket = Deno.env.get("NOTIFY_SOCKET");
  await using notifier = new Notifier({ socket });
  signal.addEventListener("abort", () => notifier.stopping());
  try {
    await new Service(context, notifier).run(signal);
    return ExitCode.ok;
  } catch (error) {
    notifier.failed(error instanceof Error ? error.message : String(error));
    throw error;
  }
}

/** The agent, anew whenever the settings are others. */
class Service {
  readonly #reloader: Reloader;
  readonly #notifier: Notifier;
  readonly #write: (line: string) => void;
  readonly #journal = isJournal(Deno.env.get("JOURNAL_STREAM"));
  readonly #memory = new MemoryKeeper();
  #settings: Settings;
  #monitoring: Monitoring | undefined;
  #log: Log;
  #round = new AbortController();
  #agent: SyncAgent | undefined;
  /** The queue that is worked with, if any. */
  #queue: UploadQueue | undefined;
  /** Held across reloads, so that no other agent begins in between. */
  #held: { path: string; lock: ProcessLock } | undefined;

  constructor(context: CommandContext, notifier: Notifier) {
    this.#reloader = new Reloader(context);
    this.#notifier = notifier;
    this.#write = context.err;
    this.#settings = context.settings;
    this.#log = this.#createLog();
    let last = Promise.resolve();
    context.onReload(() => void (last = last.then(() => this.#reload())));
  }

  async run(signal: AbortSignal): Promise<void> {
    if (Deno.env.has("NOTIFY_SOCKET") && !this.#notifier.connected) {
      this.#log("warn", "Cannot tell the service manager how it goes");
    }
    try {
      while (!signal.aborted) {
        this.#round = new AbortController();
        this.#log = this.#createLog();
        const stop = AbortSignal.any([signal, this.#round.signal]);
        await this.#deliver(stop).catch((error) => {
          if (error !== stop.reason) throw error;
        });
      }
    } finally {
      this.#held?.lock[Symbol.dispose]();
    }
    this.#log("info", "Stopped");
  }

  /** Makes this process the agent of a queue, unless it is already. */
  async #hold(queue: UploadQueue): Promise<ProcessLock> {
    if (this.#held?.path === queue.path) return this.#held.lock;
    const lock = await acquireAgentLock(queue);
    this.#held?.lock[Symbol.dispose]();
    this.#held = { path: queue.path, lock };
    return lock;
  }

  /** Is the agent with the settings as they are now. */
  async #deliver(signal: AbortSignal): Promise<void> {
    const settings = this.#settings;
    const log = this.#log;
    // The agent waits between attempts, not the uploader.
    await using uploader = createUploader({
      ...settings,
      // A reload may bring another one.
      token: {
        get: () => this.#settings.token.get(),
        reload: () => this.#settings.token.reload(),
        renew: (refused) => this.#settings.token.renew(refused),
      },
    }, { maxRetries: 1, log });
    using store = await openStore(settings, {
      log,
      // Whoever looks at all of the queue holds the lock meanwhile.
      thorough: dirname(this.#held?.path ?? "") !== settings.dataDir,
      // The agent waits for a locked queue by itself, and hears signals meanwhile.
      busyTimeoutMs: 1_000,
    });
    const monitoring = await this.#monitor(settings);
    const agent = createAgent(settings, store, uploader, log, {
      onAttempt: (attempt) => monitoring?.metrics.count(attempt),
      lock: await this.#hold(store.queue),
      onTurn: () => {
        this.#notifier.beat(() => statusOf(store));
        this.#memory.turn(() => {
          store.queue.freeMemory();
          releaseMemory();
        });
      },
      onDelivered: () => this.#memory.worked(),
    });
    this.#agent = agent;
    this.#queue = store.queue;
    this.#tell((queue) => {
      queue.setAgentProblem(null);
      queue.setTimetables(timetablesOf(settings));
    });
    const { pending } = store.queue.getStats();
    const ended = new AbortController();
    const until = AbortSignal.any([signal, ended.signal]);
    const shown = monitoring?.run(settings, { store, log, signal: until });
    await agent.run(signal, {
      onLocked: async () => {
        log(
          "info",
          `Delivering to ${uploader.serverUrl}, ${pending} captures waiting`,
        );
        // Before the folders: a watched file whose entry a crash left without a
        // row would be taken over a second time.
        await reconcile(store, { log, signal });
        // What was taken up again should not wait for the next turn.
        agent.wake();
      },
      onReady: () => {
        for (const dir of settings.watch) log("info", `Watching "${dir}"`);
        this.#notifier.ready();
      },
    }).finally(async () => {
      ended.abort();
      await shown;
    });
    this.#agent = this.#queue = undefined;
  }

  /** Tells `status` what a person has to mend. */
  #tellProblem(problem: string | null): void {
    this.#tell((queue) => queue.setAgentProblem(problem));
  }

  #tell(tell: (queue: UploadQueue) => void): void {
    try {
      if (this.#queue) tell(this.#queue);
    } catch (error) {
      this.#log("warn", `Cannot tell status: ${(error as Error).message}`);
    }
  }

  /** What shows how it goes, if anybody wants to see: it counts on across reloads. */
  async #monitor({ monitor }: Settings): Promise<Monitoring | undefined> {
    if (!isMonitored(monitor)) return undefined;
    // Rarely needed, and not small.
    const { Monitoring } = await import("../monitoring.ts");
    return this.#monitoring ??= new Monitoring();
  }

  async #reload(): Promise<void> {
    this.#notifier.reloading();
    try {
      const { settings, changed, needRestart } = await this.#reloader.reload();
      this.#settings = settings;
      this.#tellProblem(null);
      this.#log("info", `The ${this.#reloader.what} was read again`);
      for (const name of needRestart) {
        this.#log("warn", `A new ${name} takes a restart to have an effect`);
      }
      // What waits because of the old ones should not wait any longer.
      this.#agent?.hurry();
      // It is ready when the new round is.
      if (changed) return this.#round.abort();
    } catch (error) {
      const { message } = error as Error;
      const problem = `${message}; going on with what held before`;
      this.#log("error", problem, { event: "reload_refused" });
      this.#tellProblem(`A reload was refused: ${problem}`);
    }
    this.#notifier.ready();
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

/** What holds at which times, as a person wrote it. */
function timetablesOf({ schedule, bandwidth }: Settings) {
  const isLimited = bandwidth.until(0) !== null || bandwidth.at(0) < Infinity;
  return {
    schedule: schedule?.text ?? null,
    bandwidth: isLimited ? bandwidth.text : null,
  };
}

/** Says in one line what there is to do, and whether it can be done. */
function statusOf({ queue }: Store): string {
  const { pending, uploading, failed } = queue.getStats();
  const { serverState, serverReason, schedule } = queue.getAgentState();
  const states = [queue.agentProblem(), outsideSchedule(schedule)];
  return [
    ...states.filter((state) => state !== null),
    `${pending + uploading} captures waiting`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    `server ${serverState}${serverReason ? `: ${serverReason}` : ""}`,
  ].join(", ");
}
