/**
 * The metrics in OTLP's JSON encoding (opentelemetry-proto 1.x), for hosts that
 * cannot be scraped.
 *
 * @module
 */

import type { Registry } from "prom-client";
import { VERSION } from "../host/version.ts";

/** Counters and histograms go on from the start of the process. */
const CUMULATIVE = 2;

/**
 * Encodes the metrics of a registry as an `ExportMetricsServiceRequest`.
 *
 * @param options `startMs` is when counting began, `nowMs` now, both in
 * milliseconds since 1970; `attributes` tell this host from others.
 */
export async function encodeOtlp(
  registry: Registry,
  options: {
    startMs: number;
    nowMs: number;
    attributes: Record<string, string>;
  },
): Promise<object> {
  const times = {
    startTimeUnixNano: nanos(options.startMs),
    timeUnixNano: nanos(options.nowMs),
  };
  const metrics = (await registry.getMetricsAsJSON()).map((metric) => {
    const { name, help: description, type } = metric;
    const values = metric.values as Value[];
    if (String(type) === "histogram") {
      return { name, description, histogram: histogramOf(values, times) };
    }
    const dataPoints = values.map(({ value, labels }) => (
      { ...times, attributes: attributesOf(labels), asDouble: value }
    ));
    const monotonic = {
      aggregationTemporality: CUMULATIVE,
      isMonotonic: true,
    };
    return String(type) === "counter"
      ? { name, description, sum: { ...monotonic, dataPoints } }
      : { name, description, gauge: { dataPoints } };
  });
  const attributes = attributesOf({
    "service.name": "jarvis-agent",
    "service.version": VERSION,
    ...options.attributes,
  });
  const scope = { name: "jarvis-agent", version: VERSION };
  const scopeMetrics = [{ scope, metrics }];
  return { resourceMetrics: [{ resource: { attributes }, scopeMetrics }] };
}

/** One value of a metric, as the registry gives it. */
interface Value {
  value: number;
  labels: Record<string, string | number>;
  metricName?: string;
}

/** The registry has cumulative buckets, a sum and a count; OTLP counts each bucket by itself. */
function histogramOf(values: Value[], times: object) {
  const buckets = values.filter(({ labels }) => labels.le !== undefined);
  const named = (end: string) =>
    values.find(({ metricName }) => metricName?.endsWith(end))?.value ?? 0;
  return {
    aggregationTemporality: CUMULATIVE,
    dataPoints: [{
      ...times,
      attributes: [],
      count: String(named("_count")),
      sum: named("_sum"),
      explicitBounds: buckets.map(({ labels }) => Number(labels.le))
        .filter(Number.isFinite),
      bucketCounts: buckets.map(({ value }, n) =>
        String(value - (buckets[n - 1]?.value ?? 0))
      ),
    }],
  };
}

function attributesOf(labels: Record<string, string | number>) {
  return Object.entries(labels).map(([key, value]) => ({
    key,
    value: { stringValue: String(value) },
  }));
}

/** 64-bit numbers are texts in the JSON encoding. */
function nanos(ms: number): string {
  return String(BigInt(Math.round(ms)) * 1_000_000n);
}
