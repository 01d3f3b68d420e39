import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { EndedAttempt } from "../agent/agent_options.ts";
import { VERSION } from "../host/version.ts";
import type { StatusReport } from "./status_report.ts";

const SERVER_STATES = ["ready", "down", "paused", "unknown"];

/**
 * The agent's metrics, for both a scrape by Prometheus and a push by OTLP. Attempts are
 * counted, gauges come from the status report.
 */
export class AgentMetrics {
  readonly registry = new Registry();
  readonly #attempts = this.#counter(
    "attempts_total",
    "Attempts at an upload by what came of them",
    ["outcome"],
  );
  readonly #bytes = this.#counter(
    "delivered_bytes_total",
    "Bytes of captures that were delivered",
  );
  readonly #seconds = new Histogram({
    ...this.#named("upload_seconds", "How long the delivery of a capture took"),
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600],
  });
  readonly #captures = this.#gauge(
    "captures",
    "Captures by status; delivered ones as far as the history goes",
    ["status"],
  );
  readonly #waitingBytes = this.#gauge(
    "waiting_bytes",
    "Bytes of captures that are pending or being sent",
  );
  readonly #oldest = this.#gauge(
    "oldest_pending_age_seconds",
    "How long the oldest capture that is not delivered waits; 0 if none does",
  );
  readonly #server = this.#gauge(
    "server_state",
    "1 for the state that the server is in",
    ["state"],
  );
  readonly #paused = this.#gauge(
    "paused",
    "1 while a person has stopped deliveries",
  );
  readonly #outside = this.#gauge(
    "outside_schedule",
    "1 while the schedule lets nothing be sent",
  );
  readonly #spoolBytes = this.#gauge("spool_bytes", "Bytes in the spool");
  readonly #freeBytes = this.#gauge(
    "disk_free_bytes",
    "What the spool's disk has left for this user",
  );
  readonly #problems = this.#gauge(
    "problems",
    "How many problems ask for a person; see status",
  );

  constructor() {
    const build = this.#gauge("build_info", "1; the version is a label", [
      "version",
      "deno",
    ]);
    build.set({ version: VERSION, deno: Deno.version.deno }, 1);
  }

  /** Counts an attempt that has ended. */
  count({ outcome, elapsedMs, bytes }: EndedAttempt): void {
    this.#attempts.inc({ outcome });
    if (outcome !== "delivered") return;
    this.#bytes.inc(bytes);
    this.#seconds.observe(elapsedMs / 1000);
  }

  /** Sets the gauges from a report. */
  observe(report: StatusReport): void {
    for (
      const status of ["pending", "uploading", "failed", "delivered"] as const
    ) {
      this.#captures.set({ status }, report[status]);
    }
    this.#waitingBytes.set(report.waitingBytes);
    this.#oldest.set(report.oldestPendingAgeSeconds ?? 0);
    for (const state of SERVER_STATES) {
      this.#server.set({ state }, report.server.state === state ? 1 : 0);
    }
    this.#paused.set(report.paused ? 1 : 0);
    this.#outside.set(report.schedule?.open === false ? 1 : 0);
    this.#spoolBytes.set(report.spool.bytes);
    if (report.spool.freeBytes !== null) {
      this.#freeBytes.set(report.spool.freeBytes);
    }
    this.#problems.set(report.advice.length);
  }

  #gauge(name: string, help: string, labels?: string[]): Gauge {
    return new Gauge(this.#named(name, help, labels));
  }

  #counter(name: string, help: string, labels?: string[]): Counter {
    return new Counter(this.#named(name, help, labels));
  }

  #named(name: string, help: string, labelNames: string[] = []) {
    const registers = [this.registry];
    return { name: `jarvis_agent_${name}`, help, labelNames, registers };
  }
}
