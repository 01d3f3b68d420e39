import { capturesWait, counted } from "../host/counted.ts";
import { outsideText } from "../host/week_table.ts";
import type { StatusReport } from "./status_report.ts";

/** Whether all is well, in one line. */
export interface Verdict {
  /** `warning`: a person is needed. `failure`: nothing is delivered. */
  level: "ok" | "warning" | "failure";
  text: string;
}

/** What still counts as well. */
export interface VerdictLimits {
  /** How long a capture may wait, in seconds. @default {Infinity} */
  maxAgeSeconds?: number;
  /** How many captures may have failed. @default {0} */
  maxFailed?: number;
}

/** Sums a report up: the worst that is wrong. */
export function verdictOf(
  report: Omit<StatusReport, "verdict">,
  limits: VerdictLimits = {},
): Verdict {
  const { maxAgeSeconds = Infinity, maxFailed = 0 } = limits;
  const { agent, server, paused, failed, folders, schedule } = report;
  const waiting = report.pending + report.uploading;
  const isOutside = schedule !== null && !schedule.open;
  if (!agent.running) {
    const why = report.service?.reason;
    return failure(`no agent runs${why ? `: ${why}` : ""}`);
  }
  if (agent.hanging) {
    return failure(
      `the agent hangs, its last turn was at ${agent.heartbeatAt}`,
    );
  }
  if (paused) {
    const until = paused.until === null ? "" : ` until ${paused.until}`;
    return warning(`deliveries are paused${until}, ${capturesWait(waiting)}`);
  }
  const isUnusable = server.state === "down" || server.state === "paused";
  if (isUnusable && !isOutside) {
    const since = server.since === null ? "" : ` since ${server.since}`;
    return failure(
      `the server cannot be used${since}, ${
        capturesWait(waiting)
      }: ${server.reason}`,
    );
  }
  const age = isOutside ? 0 : ageOf(report);
  if (age > maxAgeSeconds) {
    return failure(
      `a capture waits for ${age} s, expected at most ${maxAgeSeconds}`,
    );
  }
  if (failed > maxFailed) {
    return warning(
      counted(failed, "capture has failed", "captures have failed"),
    );
  }
  const lost = folders.find(({ watchedBy }) =>
    watchedBy === "missing" || watchedBy === "refused"
  );
  if (lost) return warning(`the folder "${lost.path}" is ${lost.watchedBy}`);
  if (agent.problem) return warning(agent.problem);
  const text = waiting === 0
    ? "everything is delivered"
    : isOutside
    ? `${outsideOf(report)}, ${capturesWait(waiting)}`
    : `${capturesWait(waiting)} to be delivered`;
  return { level: "ok", text };
}

/** How long the oldest capture could have been sent, in seconds: not outside the schedule. */
function ageOf(report: Omit<StatusReport, "verdict">): number {
  const since = report.schedule?.since ?? null;
  const openMs = since === null
    ? Infinity
    : Date.parse(report.time) - Date.parse(since);
  const openSeconds = Math.max(Math.round(openMs / 1000), 0);
  return Math.min(report.oldestPendingAgeSeconds ?? 0, openSeconds);
}

function outsideOf({ schedule, time }: Omit<StatusReport, "verdict">): string {
  const until = schedule?.until ?? null;
  const untilMs = until === null ? null : Date.parse(until);
  return outsideText(untilMs, Date.parse(time));
}

function failure(text: string): Verdict {
  return { level: "failure", text };
}

function warning(text: string): Verdict {
  return { level: "warning", text };
}
