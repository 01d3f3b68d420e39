import { join } from "@std/path";
import { isAgentRunning } from "../agent/agent_lock.ts";
import { HANGING_MS, lastBeatMs } from "../agent/heartbeat.ts";
import { counted } from "../host/counted.ts";
import { QUEUE_FILE } from "../host/data_dir.ts";
import { freeBytes } from "../host/disk_space.ts";
import { VERSION } from "../host/version.ts";
import { adviceOn } from "../monitor/advice.ts";
import type { StatusReport } from "../monitor/status_report.ts";
import { verdictOf } from "../monitor/verdict.ts";
import { engineInUse } from "../queue/sqlite.ts";
import { isoTime } from "../queue/capture_row.ts";
import type { UploadQueue } from "../queue/queue.ts";
import { queuesSetAside } from "../queue/repair/queue_files.ts";
import type { Spool } from "../spool/spool.ts";
import type { Settings } from "./config.ts";
import { parseBandwidth, parseSchedule } from "./timetable.ts";
import type { ServiceState } from "./service/state.ts";

/** The sources of a report. */
export interface ReportSources {
  settings: Settings;
  /** Nothing, where there is no queue. */
  look: { queue: UploadQueue; spool: Spool | undefined } | undefined;
  /** @default {null} */
  service?: ServiceState | null;
  /** The file with the server's token, where it is known. */
  tokenFile?: string | undefined;
}

/** Over how much time the rate is taken, in milliseconds. */
const RATE_MS = 10_000;
/** States of a server that takes nothing. */
const STOPPED: readonly string[] = ["down", "paused"];

/** Finds out how the agent and its queue are doing. Changes nothing. */
export async function readReport(
  { settings, look, service = null, tokenFile }: ReportSources,
): Promise<StatusReport> {
  const queue = look?.queue;
  const nowMs = Date.now();
  const { pending = 0, uploading = 0, failed = 0, delivered = 0 } =
    queue?.getStats() ?? {};
  const oldestMs = queue?.oldestPendingMs() ?? null;
  const dueMs = queue?.nextDueMs() ?? null;
  const path = join(settings.dataDir, QUEUE_FILE);
  const { name: engine, sqlite } = queue?.engine ?? engineInUse();
  const { maxSpoolBytes } = settings;
  const agent = await agentOf(path, queue, nowMs);
  const server = serverOf(settings, queue, agent.running);
  const paused = pauseOf(queue);
  const timetables = timetablesOf(agent.running ? queue : undefined, nowMs);
  const isStopped = !agent.running || STOPPED.includes(server.state) ||
    paused !== null || timetables.schedule?.open === false;
  const report = {
    version: VERSION,
    time: new Date(nowMs).toISOString(),
    pending,
    uploading,
    failed,
    delivered,
    oldestPendingAgeSeconds: oldestMs === null
      ? null
      : Math.max(Math.round((nowMs - oldestMs) / 1000), 0),
    waitingBytes: queue?.waitingBytes() ?? 0,
    nextAttemptAt: dueMs === null ? null : isoTime(nowMs + dueMs),
    rate: queue && !isStopped ? rateOf(queue, pending + uploading) : null,
    failedByReason: failed > 0 ? queue?.failedByReason() ?? [] : [],
    paused,
    ...timetables,
    server,
    agent,
    service,
    spool: {
      bytes: queue?.spooledBytes() ?? 0,
      maxBytes: Number.isFinite(maxSpoolBytes) ? maxSpoolBytes : null,
      freeBytes: queue ? freeBytes(settings.dataDir) : null,
    },
    folders: agent.running ? JSON.parse(queue?.watchedFolders() ?? "[]") : [],
    database: { path, engine, sqlite },
  } satisfies Omit<StatusReport, "verdict" | "advice">;
  const { minFreeBytes } = settings;
  const advice = [
    ...adviceOn(report, { tokenFile, minFreeBytes }),
    ...look ? leftovers(path, look.spool) : [],
  ];
  return { ...report, advice, verdict: verdictOf({ ...report, advice }) };
}

function pauseOf(queue: UploadQueue | undefined): StatusReport["paused"] {
  const pause = queue?.getPause() ?? null;
  return pause &&
    { since: isoTime(pause.since)!, until: isoTime(pause.until) };
}

function timetablesOf(
  queue: UploadQueue | undefined,
  nowMs: number,
): Pick<StatusReport, "schedule" | "bandwidth"> {
  const state = queue?.getAgentState();
  const schedule = parseSchedule(state?.schedule ?? "");
  const bandwidth = state?.bandwidth && parseBandwidth(state.bandwidth);
  const rate = bandwidth ? bandwidth.at(nowMs) : Infinity;
  return {
    schedule: schedule
      ? {
        text: schedule.text,
        open: schedule.at(nowMs),
        since: isoTime(schedule.since(nowMs)),
        until: isoTime(schedule.until(nowMs)),
      }
      : null,
    bandwidth: bandwidth
      ? {
        text: bandwidth.text,
        bytesPerSecond: rate < Infinity ? rate : null,
        until: isoTime(bandwidth.until(nowMs)),
      }
      : null,
  };
}

async function agentOf(
  path: string,
  queue: UploadQueue | undefined,
  nowMs: number,
): Promise<StatusReport["agent"]> {
  const running = await isAgentRunning(path);
  const beatMs = running ? lastBeatMs(path) : null;
  return {
    running,
    pid: running ? queue?.getAgentState().pid ?? null : null,
    heartbeatAt: isoTime(beatMs),
    hanging: beatMs !== null && nowMs - beatMs > HANGING_MS,
    problem: running ? queue?.agentProblem() ?? null : null,
  };
}

function serverOf(
  settings: Settings,
  queue: UploadQueue | undefined,
  isAgentRunning: boolean,
): StatusReport["server"] {
  const state = queue?.getAgentState();
  const known = state?.serverUrl ?? null;
  // Without an agent the server's state is not known.
  const now = isAgentRunning ? state : undefined;
  return {
    url: isAgentRunning ? known : settings.server ?? known,
    state: now?.serverState ?? "unknown",
    reason: now?.serverReason ?? null,
    since: isoTime(now?.serverSince),
    nextProbeAt: isoTime(now?.nextProbeAt),
    lastDeliveryAt: isoTime(queue?.lastDeliveryMs()),
  };
}

function rateOf(queue: UploadQueue, waiting: number): StatusReport["rate"] {
  if (waiting === 0) return null;
  const { captures, bytes } = queue.deliveredWithin(RATE_MS);
  if (captures === 0) return null;
  const seconds = RATE_MS / 1000;
  return {
    capturesPerSecond: captures / seconds,
    bytesPerSecond: bytes / seconds,
    secondsLeft: Math.ceil(waiting / captures * seconds),
  };
}

/** Files that were kept for a person to look at. */
function leftovers(path: string, spool: Spool | undefined): string[] {
  const orphans = spool?.orphans() ?? 0;
  return [
    ...queuesSetAside(path).map((name) =>
      `A damaged queue was set aside and is kept as "${name}": remove it when it is of no more use`
    ),
    ...(orphans > 0
      ? [
        `${
          counted(orphans, "file")
        } in the spool's folder "orphans" without a capture: hand over again, or remove`,
      ]
      : []),
  ];
}
