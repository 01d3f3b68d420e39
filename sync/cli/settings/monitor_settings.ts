import { OUT_OF_BOUNDS } from "../../host/deno_words.ts";
import { statIfThere } from "../../host/files.ts";
import { readSmallText } from "../../host/small_file.ts";
import { tryTo } from "../../host/try_to.ts";
import { isLoopback } from "../../upload/server_url.ts";
import type { Ambient, OptionValues } from "../arguments.ts";
import { isInDataDir, isOutOfBounds } from "./folders.ts";

/** The ways of monitoring, besides the log. */
export interface MonitorSettings {
  listen: { hostname: string; port: number } | null;
  metricsFile: string | null;
  heartbeatUrl: string | null;
  otlp: OtlpSettings | null;
}

/** Whether any way of monitoring is asked for. */
export function isMonitored(settings: MonitorSettings): boolean {
  return Object.values(settings).some((way) => way !== null);
}

/** The target to which metrics are pushed, by OpenTelemetry's own variables. */
export interface OtlpSettings {
  url: string;
  headers: Record<string, string>;
  attributes: Record<string, string>;
  everyMs: number;
}

/**
 * Reads by which ways the agent shows how it is doing.
 *
 * @throws {UsageError} if one cannot be used, or others could read there without
 * `--listen-anywhere`.
 */
export function readMonitorSettings(
  given: OptionValues,
  env: Ambient["env"],
  dataDir: string,
): MonitorSettings {
  const metricsFile = given.path("metrics-file");
  if (metricsFile !== undefined) {
    const objection = objectionTo(metricsFile, dataDir);
    if (objection) throw given.wrong("metrics-file", objection);
  }
  return {
    listen: given.takes("listen") ? readListen(given) : null,
    metricsFile: metricsFile ?? null,
    heartbeatUrl: readHeartbeatUrl(given),
    otlp: given.takes("listen") ? readOtlp(env) : null,
  };
}

/** What is expected in the place of a file that metrics cannot be written to. */
function objectionTo(path: string, dataDir: string): string | undefined {
  if (isOutOfBounds(path)) return `a file not ${OUT_OF_BOUNDS}`;
  // A collector could not look into it, and an empty file there is not free.
  if (dataDir && isInDataDir(path, dataDir)) {
    return `a file outside the data directory "${dataDir}"`;
  }
  return isFree(path)
    ? undefined
    : "a new file, like NAME.prom, or one with earlier metrics";
}

/** A line of a file with metrics of the agent. */
const METRIC = /^((# (HELP|TYPE) )?jarvis_agent_.*)?$/;

/** Whether a path is free, or has a file with metrics, which may be written over. */
function isFree(path: string): boolean {
  return tryTo(() =>
    !statIfThere(path) ||
    readSmallText(path).split("\n").every((line) => METRIC.test(line))
  ) ?? false;
}

function readListen(given: OptionValues): MonitorSettings["listen"] {
  const text = given.text("listen");
  if (text === undefined) return null;
  const [, host = "127.0.0.1", digits] =
    /^(?:(\[[\da-f:.]+\]|[^:[\]]+):)?(\d{1,5})$/i.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw given.wrong("listen", "an address and a port like 127.0.0.1:9464");
  }
  const hostname = host.replace(/^\[(.*)\]$/, "$1");
  if (!isLoopback(host) && !given.has("listen-anywhere")) {
    throw given.wrong(
      "listen",
      "an address of this machine alone like 127.0.0.1, or --listen-anywhere, with which everybody who reaches it may read",
    );
  }
  return { hostname, port };
}

function readHeartbeatUrl(given: OptionValues): string | null {
  const text = given.text("heartbeat-url");
  if (text === undefined) return null;
  const { protocol = "", username, password } = URL.parse(text) ?? {};
  if (protocol !== "https:" && protocol !== "http:") {
    throw given.wrong("heartbeat-url", "an address that begins with https://");
  }
  if (username || password) {
    throw given.wrong("heartbeat-url", "an address without credentials");
  }
  return text;
}

function readOtlp(env: Ambient["env"]): OtlpSettings | null {
  const base = env("OTEL_EXPORTER_OTLP_ENDPOINT");
  const url = env("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT") ||
    base && `${base.replace(/\/$/, "")}/v1/metrics`;
  if (!url || !URL.canParse(url)) return null;
  const everyMs = Number(env("OTEL_METRIC_EXPORT_INTERVAL"));
  return {
    url,
    headers: pairs(
      env("OTEL_EXPORTER_OTLP_METRICS_HEADERS") ||
        env("OTEL_EXPORTER_OTLP_HEADERS"),
    ),
    attributes: pairs(env("OTEL_RESOURCE_ATTRIBUTES")),
    everyMs: everyMs >= 1_000 ? everyMs : 60_000,
  };
}

/** Reads `a=1,b=2`, with special characters percent-encoded. */
function pairs(text = ""): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/([^,=]+)=([^,]*)/g)]
      .map(([, name, value]) => [name!.trim(), decode(value!.trim())]),
  );
}

function decode(text: string): string {
  return tryTo(() => decodeURIComponent(text)) ?? text;
}
