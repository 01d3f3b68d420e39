import {
  agentLockPath,
  AgentRunningError,
  nudgeAgent,
} from "../../agent/agent_lock.ts";
import {
  AgentHangsError,
  isHanging,
  lastBeatMs,
} from "../../agent/heartbeat.ts";
import type { Settings } from "../settings/config.ts";
import { queuePath } from "../../host/data_dir_paths.ts";
import { ProcessLock } from "../../host/lock.ts";
import { sleep } from "../../host/sleep.ts";
import { tryTo } from "../../host/try_to.ts";
import type { AgentState, QueueStats, UploadQueue } from "../../queue/queue.ts";
import { parseServerUrl } from "../../upload/server_url.ts";
import { createUploader } from "../daemon/create_uploader.ts";
import { reconcile } from "../daemon/reconciling.ts";
import { createAgent } from "../daemon/create_agent.ts";
import { describePause } from "../capture_text.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { type OptionName, TURNS, UPLOADS } from "../settings/options.ts";
import { showQueue, type Talk, talkOf } from "../talk.ts";
import { tellOutside } from "../settings/timetable.ts";
import { openStore, type Store } from "../store.ts";

/** The time between two looks whether the agent is done, in milliseconds. */
const LOOK_MS = 200;
/** How long an agent that seems to hang has for a turn, in milliseconds: a clock may have jumped. */
const ANSWER_MS = 6_000;

/** Tries every pending capture once: by itself, or by asking the agent that runs. */
export async function run(context: CommandContext): Promise<number> {
  const { settings } = context;
  const talk = talkOf(context);
  const signal = context.stopSignal({ hangup: true });
  const lockPath = agentLockPath(queuePath(settings.dataDir));
  if (!await ProcessLock.isHeld(lockPath)) {
    // Errors in the settings are told before a queue is made.
    createUploader(settings).close();
  }
  // If no agent ever runs nobody else would find all damage.
  using store = await openStore(settings, { log: talk.log, thorough: true });
  const { queue } = store;
  if (!talk.isQuiet) tellOutside(queue, talk.err);
  const before = queue.getStats();
  const stop = new AbortController();
  const paused = new AbortController();
  const showing = showQueue(queue, talk, {
    signal: stop.signal,
    onPause: () => paused.abort(),
  });
  try {
    if (await ProcessLock.isHeld(lockPath)) {
      tellOfAgent(queue.getAgentState(), context, talk.err);
    }
    if (!queue.getPause() && !await askAgent(queue, signal)) {
      const either = AbortSignal.any([signal, paused.signal]);
      await deliver(settings, store, { talk, signal: either });
    }
  } finally {
    stop.abort();
    await showing;
  }
  return conclude(talk, queue, before);
}

/** Tells the results, and returns the exit code. */
function conclude(
  { isJson, out, say }: Talk,
  queue: UploadQueue,
  before: QueueStats,
): number {
  const after = queue.getStats();
  const left = after.pending + after.uploading;
  const delivered = after.delivered - before.delivered;
  // Others may have been removed meanwhile.
  const failed = Math.max(after.failed - before.failed, 0);
  const { serverState: state, serverReason } = queue.getAgentState();
  const pause = queue.getPause();
  const reason = pause
    ? describePause(pause)
    : serverReason ?? lastErrorOf(queue);
  const isOver = left === 0 && !pause;
  // What is left is tried again by itself; a person must look at what has failed.
  const code = failed > 0
    ? ExitCode.failure
    : isOver
    ? ExitCode.ok
    : ExitCode.temporary;
  const why = !isOver && reason ? `: ${reason}` : "";
  const text = `${delivered} delivered, ${failed} failed, ${left} left${why}`;
  if (isJson) {
    out(JSON.stringify({ delivered, failed, left, server: { state, reason } }));
  } else say(text, code === ExitCode.ok);
  return code;
}

/** What only the one who delivers goes by. */
const OF_DELIVERY: readonly OptionName[] = [
  ...UPLOADS,
  ...TURNS,
  "keep-history",
];

/** Tells which of the settings that are given here have no effect: the agent has its own. */
function tellOfAgent(
  { pid, serverUrl }: AgentState,
  { given, settings: { server } }: CommandContext,
  err: (line: string) => void,
): void {
  const url = server !== null &&
    tryTo(() => parseServerUrl(server, { allowInsecure: true }));
  const isOther = url && serverUrl !== null && url !== serverUrl;
  const typed = given.onCommandLine().names()
    .filter((name) => name !== "server" && OF_DELIVERY.includes(name));
  const names: OptionName[] = isOther ? ["server", ...typed] : typed;
  if (names.length === 0) return;
  const unused = names.map((name) => given.source(name)).join(", ");
  const where = serverUrl === null ? "" : ` to ${serverUrl}`;
  err(
    `jarvis-agent: The agent, process ${pid}, delivers${where} by its own settings, without ${unused}: set it there, or end the agent first`,
  );
}

/** The error of the first capture that is left: it may be one that says nothing of others. */
function lastErrorOf(queue: UploadQueue): string | null {
  const [capture] = queue.captures({ status: "pending" }).take(1);
  return capture?.lastError ?? null;
}

/**
 * Asks the running agent and waits for it; returns whether one did it.
 *
 * @throws {AgentHangsError} if it makes no turn.
 */
async function askAgent(
  queue: UploadQueue,
  signal: AbortSignal,
): Promise<boolean> {
  const lock = agentLockPath(queue.path);
  if (!await ProcessLock.isHeld(lock)) return false;
  const number = queue.requestSync();
  nudgeAgent(queue.path);
  const isDone = () => queue.getAgentState().syncCompleted >= number;
  const ended = ProcessLock.whenFree(lock).then(() => true);
  const answersUntil = performance.now() + ANSWER_MS;
  while (!signal.aborted && !isDone()) {
    if (performance.now() > answersUntil) assertAlive(queue);
    const looked = sleep(LOOK_MS, signal).then(() => false);
    if (await Promise.race([ended, looked])) return isDone();
  }
  return true;
}

function assertAlive(queue: UploadQueue): void {
  const beatMs = lastBeatMs(queue.path);
  if (beatMs === null || !isHanging(beatMs, Date.now())) return;
  const { pid } = queue.getAgentState();
  const since = new Date(beatMs).toISOString();
  throw new AgentHangsError(
    `Cannot sync: the agent, process ${pid}, does not answer since ${since}; ` +
      `"kill -CONT ${pid}" if somebody stopped it, else end it, then sync again`,
  );
}

async function deliver(
  settings: Settings,
  store: Store,
  { talk: { log, progress }, signal }: { talk: Talk; signal: AbortSignal },
): Promise<void> {
  await using uploader = createUploader(settings, {
    log,
    onSent: (bytes) => progress.inFlight += bytes,
  });
  const agent = createAgent({ settings, store, uploader, log }, {
    watches: false,
  });
  const onLocked = async () => {
    await reconcile(store, { log, signal });
    store.queue.makeAllDue();
  };
  try {
    await agent.runOnce(signal, { onLocked });
  } catch (error) {
    if (signal.aborted) return;
    // One was started in between.
    if (!(error instanceof AgentRunningError)) throw error;
    await askAgent(store.queue, signal);
  }
}
