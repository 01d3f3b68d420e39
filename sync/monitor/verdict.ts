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
  const { agent, server, paused, failed, folders } = report;
  const waiting = report.pending + report.uploading;
  const age = report.oldestPendingAgeSeconds ?? 0;
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
    return warning(`deliveries are paused${until}, ${waiting} captures wait`);
  }
  if (server.state === "down" || server.state === "paused") {
    const since = server.since === null ? "" : ` since ${server.since}`;
    return failure(
      `the server cannot be used${since}, ${waiting} captures wait: ${server.reason}`,
    );
  }
  if (age > maxAgeSeconds) {
    return failure(
      `a capture waits for ${age} s, expected at most ${maxAgeSeconds}`,
    );
  }
  if (failed > maxFailed) return warning(`${failed} captures have failed`);
  const lost = folders.find(({ watchedBy }) =>
    watchedBy === "missing" || watchedBy === "refused"
  );
  if (lost) return warning(`the folder "${lost.path}" is ${lost.watchedBy}`);
  if (agent.problem) return warning(agent.problem);
  const text = waiting === 0
    ? "everything is delivered"
    : `${waiting} captures wait to be delivered`;
  return { level: "ok", text };
}

function failure(text: string): Verdict {
  return { level: "failure", text };
}

function warning(text: string): Verdict {
  return { level: "warning", text };
}
