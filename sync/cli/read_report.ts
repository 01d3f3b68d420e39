import { dirname } from "@std/path";
import { isAgentRunning } from "../agent/agent_lock.ts";
import { isHanging, lastBeatMs } from "../agent/heartbeat.ts";
import { objectionToWriting } from "../host/data_dir.ts";
import { queuePath } from "../host/data_dir_paths.ts";
import { freeBytes } from "../host/disk_space.ts";
import { exists } from "../host/files.ts";
import { VERSION } from "../host/version.ts";
import {
  FULL_BYTES,
  isOutside,
  isReadOnlyDisk,
  judge,
  waitingIn,
} from "../monitor/judge.ts";
import type { Facts, StatusReport } from "../monitor/status_report.ts";
import { adviceOn, verdictOf } from "../monitor/verdict.ts";
import { isoTime } from "../queue/capture_row.ts";
import type { AgentState, UploadQueue } from "../queue/queue.ts";
import { queuesSetAside } from "../queue/side_files.ts";
import { engineInUse } from "../queue/sqlite.ts";
import type { Spool } from "../spool/spool.ts";
import type { Settings } from "./settings/config.ts";
import { parseBandwidth, parseSchedule } from "./settings/timetable.ts";

/** The sources of a report. */
export interface ReportSources {
  settings: Settings;
  /** Nothing, where there is no queue. */
  look: { queue: UploadQueue; spool: Spool | undefined } | undefined;
  /** @default {null} */
  service?: StatusReport["service"];
}

/** Over how much time the rate is taken, in milliseconds. */
const RATE_MS = 10_000;

/** Finds out how the agent and its queue are doing. Changes nothing. */
export async function readReport(
  sources: ReportSources,
): Promise<StatusReport> {
  const queue = sources.look?.queue;
  const running = await isAgentRunning(pathOf(sources));
  const facts = readFacts(sources, running);
  const findings = judge(facts);
  const isStopped = facts.paused !== null || isOutside(facts) ||
    findings.some(({ outage }) => outage);
  const dueMs = queue?.nextDueMs() ?? null;
  return {
    version: VERSION,
    ...facts,
    waitingBytes: queue?.waitingBytes() ?? 0,
    nextAttemptAt: dueMs === null ? null : isoTime(Date.now() + dueMs),
    rate: queue && !isStopped ? rateOf(queue, waitingIn(facts)) : null,
    failedByReason: facts.failed > 0 ? queue?.failedByReason() ?? [] : [],
    bandwidth: bandwidthOf(running ? queue : undefined),
    advice: adviceOn(findings),
    verdict: verdictOf(facts, findings),
  };
}

/**
 * Finds out the facts that are judged.
 *
 * @throws {Error} if queue or spool cannot be used now: then nothing is sent, even if
 * the rest looks well.
 */
export function readFacts(sources: ReportSources, running: boolean): Facts {
  const { settings, look, service = null } = sources;
  const queue = look?.queue;
  queue?.dataVersion();
  look?.spool?.assertReachable();
  const known = queue?.getAgentState();
  const nowMs = Date.now();
  const path = pathOf(sources);
  const free = queue ? freeBytes(dirname(path)) : null;
  const obstacle = free === null || free < FULL_BYTES
    ? null
    : obstacleIn(dirname(path), look?.spool?.dir);
  // On a read-only disk there is no heartbeat either.
  const beatMs = running && !isReadOnlyDisk(obstacle) ? lastBeatMs(path) : null;
  // An agent's own report holds while it runs; on a full disk it may not be able to
  // write one.
  const said =
    running && !(free !== null && free < FULL_BYTES && isOfDead(known))
      ? known
      : undefined;
  const oldestMs = queue?.oldestPendingMs() ?? null;
  const pause = queue?.getPause() ?? null;
  const { name: engine, sqlite } = queue?.engine ?? engineInUse();
  return {
    time: new Date(nowMs).toISOString(),
    ...queue?.getStats() ?? NOTHING,
    oldestPendingAgeSeconds: oldestMs === null
      ? null
      : Math.max(Math.round((nowMs - oldestMs) / 1000), 0),
    paused: pause &&
      { since: isoTime(pause.since)!, until: isoTime(pause.until) },
    schedule: scheduleOf(said?.schedule, nowMs),
    server: {
      url: said ? said.serverUrl : settings.server ?? known?.serverUrl ?? null,
      ...serverOf(said),
      lastDeliveryAt: isoTime(queue?.lastDeliveryMs()),
      tokenFile: settings.tokenFile,
    },
    agent: { running, ...agentOf(said, beatMs) },
    service,
    spool: { ...spoolOf(sources), freeBytes: free, obstacle },
    folders: JSON.parse(said?.folders ?? "[]"),
    database: {
      path,
      engine,
      sqlite,
      setAside: queue ? queuesSetAside(path) : [],
    },
  };
}

function serverOf(
  said: AgentState | undefined,
): Pick<Facts["server"], "state" | "reason" | "since" | "nextProbeAt"> {
  return {
    state: said?.serverState ?? "unknown",
    reason: said?.serverReason ?? null,
    since: isoTime(said?.serverSince),
    nextProbeAt: isoTime(said?.nextProbeAt),
  };
}

function agentOf(
  said: AgentState | undefined,
  beatMs: number | null,
): Omit<Facts["agent"], "running"> {
  return {
    pid: said?.pid ?? null,
    heartbeatAt: isoTime(beatMs),
    hanging: beatMs !== null && isHanging(beatMs, Date.now()),
    problem: said?.problem ?? null,
  };
}

function spoolOf(
  { settings: { maxSpoolBytes, minFreeBytes }, look }: ReportSources,
): Omit<Facts["spool"], "freeBytes" | "obstacle"> {
  return {
    bytes: look?.queue.spooledBytes() ?? 0,
    maxBytes: Number.isFinite(maxSpoolBytes) ? maxSpoolBytes : null,
    minFreeBytes,
    orphans: look?.spool?.orphans.count ?? 0,
  };
}

/** Why no file can be made in the data directory, or else in the spool; `null` if one can. */
function obstacleIn(dataDir: string, spool: string | undefined): string | null {
  const obstacle = objectionToWriting(dataDir);
  return obstacle === null && spool ? objectionToWriting(spool) : obstacle;
}

/** Whether the agent that wrote this state is gone, as far as this system tells. */
function isOfDead(known: AgentState | undefined): boolean {
  return Deno.build.os === "linux" && typeof known?.pid === "number" &&
    !exists(`/proc/${known.pid}`);
}

const NOTHING = { pending: 0, uploading: 0, failed: 0, delivered: 0 };

/** The path of the open queue: after a reload the settings may name another one. */
function pathOf({ settings, look }: ReportSources): string {
  return look?.queue.path ?? queuePath(settings.dataDir);
}

function scheduleOf(
  text: string | null | undefined,
  nowMs: number,
): Facts["schedule"] {
  const schedule = parseSchedule(text ?? "");
  return schedule === undefined ? null : {
    text: schedule.text,
    open: schedule.at(nowMs),
    since: isoTime(schedule.since(nowMs)),
    until: isoTime(schedule.until(nowMs)),
  };
}

function bandwidthOf(
  queue: UploadQueue | undefined,
): StatusReport["bandwidth"] {
  const nowMs = Date.now();
  const bandwidth = parseBandwidth(queue?.getAgentState().bandwidth ?? "");
  if (!bandwidth) return null;
  const rate = bandwidth.at(nowMs);
  return {
    text: bandwidth.text,
    bytesPerSecond: rate < Infinity ? rate : null,
    until: isoTime(bandwidth.until(nowMs)),
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
