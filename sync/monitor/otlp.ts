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

/** An `ExportMetricsServiceRequest`. */
export interface OtlpRequest {
  resourceMetrics: unknown[];
}

/**
 * Encodes the metrics of a registry.
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
): Promise<OtlpRequest> {
  const times = {
    startTimeUnixNano: nanos(options.startMs),
    timeUnixNano: nanos(options.nowMs),
  };
  const metrics = (await registry.getMetricsAsJSON()).map((metric) => {
    const { name, help: description } = metric;
    const values = metric.values as Value[];
    switch (String(metric.type)) {
      case "histogram":
        return { name, description, histogram: histogramOf(values, times) };
      case "counter":
        return {
          name,
          description,
          sum: {
            aggregationTemporality: CUMULATIVE,
            isMonotonic: true,
            dataPoints: values.map((value) => pointOf(value, times)),
          },
        };
      default:
        return {
          name,
          description,
          gauge: { dataPoints: values.map((value) => pointOf(value, times)) },
        };
    }
  });
  const resource = {
    attributes: attributesOf({
      "service.name": "jarvis-agent",
      "service.version": VERSION,
      ...options.attributes,
    }),
  };
  const scope = { name: "jarvis-agent", version: VERSION };
  return {
    resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics }] }],
  };
}

/** One value of a metric, as the registry gives it. */
interface Value {
  value: number;
  labels: Record<string, string | number>;
  metricName?: string;
}

interface Times {
  startTimeUnixNano: string;
  timeUnixNano: string;
}

function pointOf({ value, labels }: Value, times: Times) {
  return { ...times, attributes: attributesOf(labels), asDouble: value };
}

/** The registry has cumulative buckets, a sum and a count; OTLP counts each bucket by itself. */
function histogramOf(values: Value[], times: Times) {
  const buckets = values.filter(({ labels }) => labels.le !== undefined);
  const bounds = buckets.map(({ labels }) => Number(labels.le))
    .filter(Number.isFinite);
  const counts = buckets.map(({ value }, n) =>
    String(value - (buckets[n - 1]?.value ?? 0))
  );
  const named = (end: string) =>
    values.find(({ metricName }) => metricName?.endsWith(end))?.value ?? 0;
  return {
    aggregationTemporality: CUMULATIVE,
    dataPoints: [{
      ...times,
      attributes: [],
      count: String(named("_count")),
      sum: named("_sum"),
      explicitBounds: bounds,
      bucketCounts: counts,
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
