import type { StatusReport } from "../../sync/monitor/status_report.ts";

/** Some things of a report, at any depth. */
export type Changes = {
  [K in keyof StatusReport]?: K extends
    "server" | "agent" | "spool" | "database" ? Partial<StatusReport[K]>
    : StatusReport[K];
};

/** A report of an agent that has nothing to do, with some things changed. */
export function reportWith(changes: Changes = {}): StatusReport {
  const { server, agent, spool, database, ...others } = changes;
  return {
    version: "1.2.3",
    time: "2026-01-02T03:04:05.000Z",
    pending: 0,
    uploading: 0,
    failed: 0,
    delivered: 0,
    oldestPendingAgeSeconds: null,
    waitingBytes: 0,
    nextAttemptAt: null,
    rate: null,
    failedByReason: [],
    paused: null,
    schedule: null,
    bandwidth: null,
    server: {
      url: "https://captures.example.org",
      state: "ready",
      reason: null,
      since: null,
      nextProbeAt: null,
      lastDeliveryAt: null,
      tokenFile: null,
      ...server,
    },
    agent: {
      running: true,
      pid: 1,
      heartbeatAt: null,
      hanging: false,
      problem: null,
      ...agent,
    },
    service: null,
    spool: {
      bytes: 0,
      maxBytes: null,
      freeBytes: null,
      minFreeBytes: 0,
      orphans: 0,
      obstacle: null,
      ...spool,
    },
    folders: [],
    database: {
      path: "queue.db",
      engine: "ffi",
      sqlite: "3.46.0",
      setAside: [],
      ...database,
    },
    verdict: { level: "ok", text: "everything is delivered" },
    advice: [],
    ...others,
  };
}
