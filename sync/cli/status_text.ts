import { format as formatBytes } from "@std/fmt/bytes";
import { durationText } from "../host/duration.ts";
import { clockText, outsideText } from "../host/week_table.ts";
import type { StatusReport } from "../monitor/status_report.ts";

/** Writes a report as one screen of text. */
export function statusLines(report: StatusReport): string[] {
  const { pending, uploading, failed, delivered, rate, paused } = report;
  const { server, spool, agent, service, database } = report;
  const age = report.oldestPendingAgeSeconds;
  const waiting = age === null
    ? ""
    : ` (the oldest for ${duration(age)}, ${
      bytes(report.waitingBytes)
    } in all)`;
  const rows: [string, string | null][] = [
    [
      "Captures",
      `${pending} pending${waiting}, ${uploading} uploading, ${failed} failed, ${delivered} delivered`,
    ],
    ["Next try", inTime(report, report.nextAttemptAt)],
    [
      "Rate",
      rate &&
      `${rate.capturesPerSecond.toFixed(1)} captures/s, ${
        bytes(rate.bytesPerSecond)
      }/s, ${duration(rate.secondsLeft)} left`,
    ],
    [
      "Paused",
      paused &&
      `since ${paused.since}, until ${paused.until ?? "it is resumed"}`,
    ],
    ["Schedule", scheduleText(report)],
    ["Bandwidth", bandwidthText(report)],
    ...report.failedByReason.map(({ reason, count }) =>
      ["Failed", `${count}: ${reason}`] as [string, string]
    ),
    [
      "Server",
      `${server.url ?? "none given"}: ${server.state}` +
      (server.since ? ` since ${server.since}` : "") +
      (server.reason ? ` (${server.reason})` : ""),
    ],
    ["Probe", inTime(report, server.nextProbeAt)],
    ["Delivered", server.lastDeliveryAt && `last at ${server.lastDeliveryAt}`],
    [
      "Spool",
      bytes(spool.bytes) +
      (spool.maxBytes === null ? "" : ` of ${bytes(spool.maxBytes)}`) +
      (spool.freeBytes === null
        ? ""
        : `, ${bytes(spool.freeBytes)} free on the disk`),
    ],
    ...report.folders.map(({ path, watchedBy, reason }) =>
      [
        "Folder",
        `${path}: ${FOLDER[watchedBy]}${reason ? ` (${reason})` : ""}`,
      ] as [string, string]
    ),
    ["Agent", agentText(agent)],
    [
      "Service",
      service &&
      service.state + (service.reason ? `: ${service.reason}` : ""),
    ],
    [
      "Database",
      `${database.path} (SQLite ${database.sqlite}, ${database.engine})`,
    ],
    ["Version", report.version],
  ];
  return [
    ...rows.filter(([, text]) => text)
      .map(([name, text]) => `${name.padEnd(9)} ${text}`),
    ...report.advice.map((line) => `! ${line}`),
  ];
}

function scheduleText({ schedule, time }: StatusReport): string | null {
  if (!schedule) return null;
  const { open, text, until } = schedule;
  const [untilMs, nowMs] = [until && Date.parse(until), Date.parse(time)];
  const state = !open
    ? outsideText(untilMs || null, nowMs)
    : `sends ${untilMs ? `until ${clockText(untilMs, nowMs)}` : "always"}`;
  return `${state} (${text})`;
}

function bandwidthText({ bandwidth, time }: StatusReport): string | null {
  if (!bandwidth) return null;
  const { bytesPerSecond, text, until } = bandwidth;
  const rate = bytesPerSecond ? `${bytes(bytesPerSecond)}/s` : "no limit";
  if (until === null) return rate;
  const end = clockText(Date.parse(until), Date.parse(time));
  return `${rate} until ${end} (${text})`;
}

const FOLDER = {
  events: "watched by events",
  polling: "looked through every few seconds",
  missing: "missing",
  refused: "refused",
};

function agentText(agent: StatusReport["agent"]): string {
  if (!agent.running) return "not running";
  const hanging = agent.hanging ? `, hangs since ${agent.heartbeatAt}` : "";
  const process = agent.pid === null ? "" : `, process ${agent.pid}`;
  return `running${process}${hanging}`;
}

function inTime(report: StatusReport, time: string | null): string | null {
  if (time === null) return null;
  const seconds = (Date.parse(time) - Date.parse(report.time)) / 1000;
  return seconds < 1 ? "now" : `in ${duration(seconds)}`;
}

function duration(seconds: number): string {
  return durationText(seconds * 1000);
}

function bytes(count: number): string {
  return formatBytes(count, { maximumFractionDigits: 1 });
}
