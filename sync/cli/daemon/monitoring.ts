import type { Log } from "../../host/log.ts";
import { messageOf } from "../../host/message_of.ts";
import { replaceFile } from "../../host/private_files.ts";
import { sleep } from "../../host/sleep.ts";
import { AgentMetrics } from "../../monitor/metrics.ts";
import { MonitorServer } from "../../monitor/http_server.ts";
import { answerTo } from "../../monitor/monitor.ts";
import { encodeOtlp } from "../../monitor/otlp.ts";
import type { Sample } from "../../queue/queue.ts";
import { post } from "../../upload/post.ts";
import { isReadableOnTheWay } from "../../upload/server_url.ts";
import type { AgentProblems } from "./agent_problems.ts";
import type { Settings } from "../settings/config.ts";
import { readReport } from "../read_report.ts";
import type { Store } from "../store.ts";

/** The time between two samples for the chart of the last day, in milliseconds. */
const SAMPLE_MS = 300_000;
const METRICS_FILE_MS = 15_000;
/** The time until listening is tried again, in milliseconds. */
const AGAIN_MS = 10_000;
/** The metrics' mode: whoever collects them is another user. */
const READABLE = 0o644;
const HEARTBEAT_MS = 60_000;

/**
 * Shows how the agent is doing: the page, metrics, a heartbeat. Its errors are logged
 * once, and hold up no delivery.
 */
export class Monitoring {
  readonly metrics = new AgentMetrics();
  readonly #startMs = Date.now();
  /** The last failure of each activity, by its name. */
  readonly #wrong = new Map<string, string>();

  /** Shows it by all ways that the settings name, until the signal aborts. */
  async run(
    settings: Settings,
    { store, problems, log, signal }: {
      store: Store;
      /** Is told of what only a person can mend: the network comes back by itself. */
      problems: Pick<AgentProblems, "found" | "resolved">;
      log: Log;
      signal: AbortSignal;
    },
  ): Promise<void> {
    const { listen, metricsFile, heartbeatUrl, otlp } = settings.monitor;
    const { metrics } = this;
    const report = () => readReport({ settings, look: store });
    const every = (ms: number, what: string, act: Act) =>
      this.#every(ms, what, act, { log, signal });
    warnOfReadable(log, "The heartbeat goes", heartbeatUrl);
    warnOfReadable(log, "Metrics with their headers go", otlp?.url);
    const told =
      (what: string, act: (works: () => void) => ReturnType<Act>) =>
      async () => {
        try {
          await act(() => problems.resolved(what));
        } catch (error) {
          problems.found(what, `Cannot ${what}: ${messageOf(error)}`);
          throw error;
        }
      };
    const [page, file] = ["show the page", `write "${metricsFile}"`];
    const { sample, points } = dayOf(store.queue);
    await Promise.all([
      listen && every(SAMPLE_MS, "take a sample", sample),
      listen && every(
        AGAIN_MS,
        page,
        told(page, async (works) => {
          const answer = (path: string) =>
            answerTo(path, { report, points, metrics });
          await using server = new MonitorServer({ ...listen, answer });
          log("info", `Showing how it goes on http://${server.address}/`);
          works();
          await new Promise((resolve) =>
            signal.addEventListener("abort", resolve, { once: true })
          );
        }),
      ),
      metricsFile && every(
        METRICS_FILE_MS,
        file,
        told(file, async (works) => {
          metrics.observe(await report());
          const text = await metrics.registry.metrics();
          replaceFile(metricsFile, text, READABLE);
          works();
        }),
      ),
      heartbeatUrl && every(HEARTBEAT_MS, "send the heartbeat", async () => {
        const { level } = (await report()).verdict;
        if (level === "ok") await post(heartbeatUrl, { signal });
      }),
      otlp && every(otlp.everyMs, "push the metrics", async () => {
        metrics.observe(await report());
        const json = await encodeOtlp(metrics.registry, {
          startMs: this.#startMs,
          nowMs: Date.now(),
          attributes: { "host.name": Deno.hostname(), ...otlp.attributes },
        });
        await post(otlp.url, { json, headers: otlp.headers, signal });
      }),
    ]);
    // After a reload these ways may not be used any more.
    problems.resolved(page, file);
  }

  async #every(
    ms: number,
    what: string,
    act: Act,
    { log, signal }: { log: Log; signal: AbortSignal },
  ): Promise<void> {
    while (!signal.aborted) {
      try {
        await act();
        this.#wrong.delete(what);
      } catch (error) {
        const message = messageOf(error);
        if (this.#wrong.get(what) !== message) {
          log("warn", `Cannot ${what}, will try again: ${message}`);
        }
        this.#wrong.set(what, message);
      }
      await sleep(ms, signal);
    }
  }
}

/** Names the host only: the rest of the address may be a secret. */
function warnOfReadable(log: Log, what: string, address?: string | null): void {
  const url = address ? new URL(address) : undefined;
  if (!url || !isReadableOnTheWay(url)) return;
  log(
    "warn",
    `${what} to ${url.origin} in plain http://, readable by everybody on the way; expected https://`,
  );
}

type Act = () => void | Promise<void>;

/** Takes the samples of the last 24 hours; the latest of the points is that of now. */
function dayOf(queue: Store["queue"]) {
  let before = queue.getStats().delivered;
  const now = (): Sample => {
    const delivered = queue.getStats().delivered - before;
    return { timeMs: Date.now(), waiting: queue.waiting(), delivered };
  };
  return {
    sample: () => {
      queue.addSample(now());
      before = queue.getStats().delivered;
    },
    points: () => [...queue.samples(), now()],
  };
}
