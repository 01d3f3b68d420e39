import { delay } from "@std/async/delay";
import { replaceFile } from "../host/files.ts";
import type { Log } from "../host/log.ts";
import { AgentMetrics } from "../monitor/metrics.ts";
import { startMonitor } from "../monitor/monitor.ts";
import { encodeOtlp } from "../monitor/otlp.ts";
import type { HistoryPoint, StatusReport } from "../monitor/status_report.ts";
import { post } from "../upload/post.ts";
import type { Settings } from "./config.ts";
import { readReport } from "./status_report.ts";
import type { Store } from "./store.ts";

/** How often a sample is taken for the chart of the last day, in milliseconds. */
const SAMPLE_MS = 300_000;
const METRICS_FILE_MS = 15_000;
/** The metrics' mode: whoever collects them is another user. */
const READABLE = 0o644;
const HEARTBEAT_MS = 60_000;

/**
 * Shows how the agent is doing: the page, metrics, a heartbeat. What goes wrong with
 * that is told once, and holds up no delivery.
 */
export class Monitoring {
  readonly metrics = new AgentMetrics();
  readonly #startMs = Date.now();
  /** The last failure of each activity, by its name. */
  readonly #wrong = new Map<string, string>();

  /** Shows it by all ways that the settings name, until the signal aborts. */
  async run(
    settings: Settings,
    { store, log, signal }: { store: Store; log: Log; signal: AbortSignal },
  ): Promise<void> {
    const { listen, metricsFile, heartbeatUrl, otlp } = settings.monitor;
    const report = () => readReport({ settings, look: store });
    const every = (ms: number, what: string, act: () => Promise<void>) =>
      this.#every(ms, signal, () => this.#tried(what, log, act));
    const day = new Day(store);
    await Promise.all([
      listen &&
      every(SAMPLE_MS, "take a sample", () => Promise.resolve(day.sample())),
      listen && this.#listen(listen, { report, day, log, signal }),
      metricsFile && every(
        METRICS_FILE_MS,
        `write "${metricsFile}"`,
        async () =>
          replaceFile(metricsFile, await this.#text(report), READABLE),
      ),
      heartbeatUrl && every(HEARTBEAT_MS, "send the heartbeat", async () => {
        const { level } = (await report()).verdict;
        if (level === "ok") await post(heartbeatUrl, { signal });
      }),
      otlp && every(otlp.everyMs, "push the metrics", async () => {
        this.metrics.observe(await report());
        const json = await encodeOtlp(this.metrics.registry, {
          startMs: this.#startMs,
          nowMs: Date.now(),
          attributes: { "host.name": Deno.hostname(), ...otlp.attributes },
        });
        await post(otlp.url, { json, headers: otlp.headers, signal });
      }),
    ]);
  }

  async #listen(
    address: { hostname: string; port: number },
    { report, day, log, signal }: {
      report: () => Promise<StatusReport>;
      day: Day;
      log: Log;
      signal: AbortSignal;
    },
  ): Promise<void> {
    const { metrics } = this;
    const history = () => day.points();
    while (!signal.aborted) {
      await this.#tried("show the page", log, async () => {
        await using server = startMonitor({
          ...address,
          report,
          history,
          metrics,
        });
        log("info", `Showing how it goes on http://${server.address}/`);
        await aborted(signal);
      });
      await delay(10_000, { signal }).catch(() => {});
    }
  }

  async #text(report: () => Promise<StatusReport>): Promise<string> {
    this.metrics.observe(await report());
    return await this.metrics.text();
  }

  async #every(
    ms: number,
    signal: AbortSignal,
    act: () => Promise<void>,
  ): Promise<void> {
    while (!signal.aborted) {
      await act();
      await delay(ms, { signal }).catch(() => {});
    }
  }

  async #tried(
    what: string,
    log: Log,
    act: () => Promise<void>,
  ): Promise<void> {
    try {
      await act();
      this.#wrong.delete(what);
    } catch (error) {
      const { message } = error as Error;
      if (this.#wrong.get(what) === message) return;
      this.#wrong.set(what, message);
      log("warn", `Cannot ${what}, will try again: ${message}`);
    }
  }
}

/** The samples of the last 24 hours. */
class Day {
  readonly #queue: Store["queue"];
  #delivered: number;

  constructor({ queue }: Store) {
    this.#queue = queue;
    this.#delivered = queue.getStats().delivered;
  }

  sample(): void {
    this.#queue.addSample(this.#now());
    this.#delivered = this.#queue.getStats().delivered;
  }

  points(): HistoryPoint[] {
    return [...this.#queue.samples(), this.#now()];
  }

  #now(): HistoryPoint {
    const { pending, uploading, delivered } = this.#queue.getStats();
    return {
      timeMs: Date.now(),
      waiting: pending + uploading,
      delivered: delivered - this.#delivered,
    };
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
