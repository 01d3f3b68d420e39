import { assert, assertEquals } from "@std/assert";
import { AgentMetrics } from "../../sync/monitor/metrics.ts";
import { encodeOtlp } from "../../sync/monitor/otlp.ts";
import { hasProgram } from "../helpers/has_program.ts";
import { reportWith } from "../helpers/status_report.ts";

function sample(): AgentMetrics {
  const metrics = new AgentMetrics();
  metrics.count({ outcome: "delivered", elapsedMs: 70, bytes: 1000 });
  metrics.count({ outcome: "delivered", elapsedMs: 700, bytes: 500 });
  metrics.count({ outcome: "server_error", elapsedMs: 5, bytes: 100 });
  metrics.observe(reportWith({
    pending: 3,
    failed: 2,
    oldestPendingAgeSeconds: 90,
    advice: ["a", "b"],
    spool: { bytes: 10, maxBytes: null, freeBytes: 77 },
  }));
  return metrics;
}

Deno.test("the metrics count attempts, bytes and seconds, and show what the report says", async () => {
  const lines = (await sample().text()).split("\n");
  const expected = [
    'jarvis_agent_attempts_total{outcome="delivered"} 2',
    'jarvis_agent_attempts_total{outcome="server_error"} 1',
    "jarvis_agent_delivered_bytes_total 1500",
    'jarvis_agent_upload_seconds_bucket{le="0.1"} 1',
    "jarvis_agent_upload_seconds_count 2",
    'jarvis_agent_captures{status="pending"} 3',
    'jarvis_agent_captures{status="failed"} 2',
    "jarvis_agent_oldest_pending_age_seconds 90",
    'jarvis_agent_server_state{state="ready"} 1',
    'jarvis_agent_server_state{state="down"} 0',
    "jarvis_agent_disk_free_bytes 77",
    "jarvis_agent_problems 2",
  ];
  for (const line of expected) assert(lines.includes(line), line);
  assert(
    lines.some((line) => line.startsWith('jarvis_agent_build_info{version="')),
  );
});

const promtool = hasProgram("promtool");
Deno.test({
  name: "promtool has no complaint about the metrics",
  ignore: !promtool,
  async fn() {
    const child = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(await sample().text()));
    await writer.close();
    const { code, stderr } = await child.output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  },
});

Deno.test("OTLP carries the same counts: sums, gauges, and buckets each by itself", async () => {
  const request = await encodeOtlp(sample().registry, {
    startMs: 1_000,
    nowMs: 2_500,
    attributes: { "host.name": "kiosk-3" },
  });
  const { resource, scopeMetrics } = request.resourceMetrics[0] as {
    resource: { attributes: unknown[] };
    scopeMetrics: { metrics: Record<string, unknown>[] }[];
  };
  assert(
    JSON.stringify(resource.attributes).includes(
      '{"key":"host.name","value":{"stringValue":"kiosk-3"}}',
    ),
  );
  const { metrics } = scopeMetrics[0]!;
  const named = (name: string) =>
    metrics.find((metric) => metric.name === `jarvis_agent_${name}`)!;
  assertEquals(named("delivered_bytes_total").sum, {
    aggregationTemporality: 2,
    isMonotonic: true,
    dataPoints: [{
      startTimeUnixNano: "1000000000",
      timeUnixNano: "2500000000",
      attributes: [],
      asDouble: 1500,
    }],
  });
  const { dataPoints: [point] } = named("upload_seconds").histogram as {
    dataPoints: {
      count: string;
      sum: number;
      bucketCounts: string[];
      explicitBounds: number[];
    }[];
  };
  assertEquals(point!.count, "2");
  assertEquals(point!.sum, 0.77);
  assertEquals(point!.bucketCounts.length, point!.explicitBounds.length + 1);
  assertEquals(
    point!.bucketCounts.reduce((sum, count) => sum + Number(count), 0),
    2,
  );
  assertEquals(
    (named("oldest_pending_age_seconds").gauge as {
      dataPoints: { asDouble: number }[];
    }).dataPoints[0]!.asDouble,
    90,
  );
});
