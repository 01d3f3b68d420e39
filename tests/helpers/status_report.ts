import type { StatusReport } from "../../sync/monitor/status_report.ts";

/** A report of an agent that has nothing to do, with some things changed. */
export function reportWith(changes: Partial<StatusReport> = {}): StatusReport {
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
    },
    agent: {
      running: true,
      pid: 1,
      heartbeatAt: null,
      hanging: false,
      problem: null,
    },
    service: null,
    spool: { bytes: 0, maxBytes: null, freeBytes: null },
    folders: [],
    database: { path: "queue.db", engine: "ffi", sqlite: "3.46.0" },
    verdict: { level: "ok", text: "everything is delivered" },
    advice: [],
    ...changes,
  };
}
