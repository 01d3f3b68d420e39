import { join } from "@std/path";
import type { Sample } from "../queue/queue.ts";
import type { Answer } from "./http_server.ts";
import type { AgentMetrics } from "./metrics.ts";
import type { StatusReport } from "./status_report.ts";

/** The sources of the pages that the agent shows over HTTP. */
export interface PageSources {
  /** Finds out how things are. */
  report: () => Promise<StatusReport>;
  /** The last 24 hours. */
  points: () => Sample[];
  metrics: AgentMetrics;
}

/** The files of the page, by their paths, each with its media type. */
const PAGE: Readonly<Record<string, [file: string, type: string]>> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/style.css": ["style.css", "text/css; charset=utf-8"],
  "/page.js": ["page.js", "text/javascript; charset=utf-8"],
  "/icon.svg": ["icon.svg", "image/svg+xml"],
};

/**
 * Answers how the agent is doing: the page at `/`, `/status.json`, `/history.json`,
 * `/metrics` for Prometheus, and `/healthz`, which is 503 with the reason while nothing
 * is delivered; `undefined` for any other path.
 */
export async function answerTo(
  path: string,
  { report, points, metrics }: PageSources,
): Promise<Answer | undefined> {
  switch (path) {
    case "/status.json":
      return json(await report());
    case "/history.json":
      return json(points());
    case "/metrics": {
      metrics.observe(await report());
      const { contentType: type } = metrics.registry;
      return { status: 200, type, body: await metrics.registry.metrics() };
    }
    case "/healthz": {
      const { level, text } = (await report()).verdict;
      const status = level === "failure" ? 503 : 200;
      return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
    }
  }
  if (!Object.hasOwn(PAGE, path)) return undefined;
  const [file, type] = PAGE[path]!;
  const name = join(import.meta.dirname!, "page", file);
  return { status: 200, type, body: await Deno.readTextFile(name) };
}

function json(value: unknown): Answer {
  return { status: 200, type: "application/json", body: JSON.stringify(value) };
}
