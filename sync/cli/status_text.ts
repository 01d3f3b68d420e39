import { format as formatBytes } from "@std/fmt/bytes";
import { durationText } from "../host/duration.ts";
import { clockText, outsideText } from "../host/week_table.ts";
import type { StatusReport } from "../monitor/status_report.ts";

/** Writes a report as one screen of text. */
export function statusLines(report: StatusReport): string[] {
  const { server, service, database } = report;
  const rows: [string, string | null][] = [
    ["Captures", capturesText(report)],
    ["Next try", inTime(report, report.nextAttemptAt)],
    ["Rate", rateText(report)],
    ["Paused", pausedText(report)],
    ["Schedule", scheduleText(report)],
    ["Bandwidth", bandwidthText(report)],
    ...report.failedByReason.map(failedRow),
    ["Server", serverText(report)],
    ["Probe", inTime(report, server.nextProbeAt)],
    ["Delivered", server.lastDeliveryAt && `last at ${server.lastDeliveryAt}`],
    ["Spool", spoolText(report)],
    ...report.folders.map(folderRow),
    ["Agent", agentText(report)],
    ["Service", service && withReason(service.state, service.reason)],
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

function capturesText(report: StatusReport): string {
  const { pending, uploading, failed, delivered } = report;
  const age = report.oldestPendingAgeSeconds;
  const waiting = age === null
    ? ""
    : ` (the oldest for ${duration(age)}, ${
      bytes(report.waitingBytes)
    } in all)`;
  return `${pending} pending${waiting}, ${uploading} uploading, ${failed} failed, ${delivered} delivered`;
}

function rateText({ rate }: StatusReport): string | null {
  if (!rate) return null;
  const { capturesPerSecond, bytesPerSecond, secondsLeft } = rate;
  return `${capturesPerSecond.toFixed(1)} captures/s, ${
    bytes(bytesPerSecond)
  }/s, ${duration(secondsLeft)} left`;
}

function pausedText({ paused }: StatusReport): string | null {
  return paused &&
    `since ${paused.since}, until ${paused.until ?? "it is resumed"}`;
}

function failedRow(
  { reason, count }: StatusReport["failedByReason"][number],
): [string, string] {
  return ["Failed", `${count}: ${reason}`];
}

function serverText({ server }: StatusReport): string {
  const { url, state, since, reason } = server;
  return `${url ?? "none given"}: ${state}` +
    (since ? ` since ${since}` : "") + (reason ? ` (${reason})` : "");
}

function spoolText({ spool }: StatusReport): string {
  const { maxBytes, freeBytes } = spool;
  return bytes(spool.bytes) +
    (maxBytes === null ? "" : ` of ${bytes(maxBytes)}`) +
    (freeBytes === null ? "" : `, ${bytes(freeBytes)} free on the disk`);
}

const FOLDER = {
  events: "watched by events",
  polling: "looked through every few seconds",
  missing: "missing",
  refused: "refused",
};

function folderRow(
  { path, watchedBy, reason }: StatusReport["folders"][number],
): [string, string] {
  const suffix = reason ? ` (${reason})` : "";
  return ["Folder", `${path}: ${FOLDER[watchedBy]}${suffix}`];
}

function withReason(state: string, reason: string | null): string {
  return state + (reason ? `: ${reason}` : "");
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

function agentText({ agent }: StatusReport): string {
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
