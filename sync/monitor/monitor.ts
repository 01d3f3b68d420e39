import { join } from "@std/path";
import { type Answer, MonitorServer } from "./http_server.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { HistoryPoint, StatusReport } from "./status_report.ts";

/** Options for {@linkcode startMonitor}. */
export interface MonitorOptions {
  /** Where to listen. */
  hostname: string;
  port: number;
  /** Finds out how things are. */
  report: () => Promise<StatusReport>;
  /** The last 24 hours. */
  history: () => HistoryPoint[];
  metrics: AgentMetrics;
}

/** The files of the page, by their paths. */
const PAGE: Readonly<Record<string, { file: string; type: string }>> = {
  "/": { file: "index.html", type: "text/html; charset=utf-8" },
  "/style.css": { file: "style.css", type: "text/css; charset=utf-8" },
  "/page.js": { file: "page.js", type: "text/javascript; charset=utf-8" },
  "/icon.svg": { file: "icon.svg", type: "image/svg+xml" },
};

/**
 * Shows how the agent is doing over HTTP, and lets nothing be changed: the page at
 * `/`, `/status.json`, `/history.json`, `/metrics` for Prometheus, and `/healthz`,
 * which answers 503 with the reason while nothing is delivered.
 *
 * @throws {Error} if the address cannot be listened on.
 */
export function startMonitor(options: MonitorOptions): MonitorServer {
  const { hostname, port } = options;
  return new MonitorServer({
    hostname,
    port,
    answer: (path) => answerTo(path, options),
  });
}

async function answerTo(
  path: string,
  { report, history, metrics }: MonitorOptions,
): Promise<Answer | undefined> {
  switch (path) {
    case "/status.json":
      return json(await report());
    case "/history.json":
      return json(history());
    case "/metrics":
      metrics.observe(await report());
      return {
        status: 200,
        type: metrics.registry.contentType,
        body: await metrics.text(),
      };
    case "/healthz": {
      const { level, text } = (await report()).verdict;
      const status = level === "failure" ? 503 : 200;
      return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
    }
  }
  if (!Object.hasOwn(PAGE, path)) return undefined;
  const { file, type } = PAGE[path]!;
  const body = await Deno.readTextFile(
    join(import.meta.dirname!, "page", file),
  );
  return { status: 200, type, body };
}

function json(value: unknown): Answer {
  return {
    status: 200,
    type: "application/json",
    body: JSON.stringify(value),
  };
}
