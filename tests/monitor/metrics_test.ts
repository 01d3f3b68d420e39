import { assert, assertEquals, assertThrows } from "@std/assert";
import { AgentMetrics } from "../../sync/monitor/metrics.ts";
import { encodeOtlp } from "../../sync/monitor/otlp.ts";
import { hasProgram } from "../helpers/has_program.ts";
import { attributesOf, decodeOtlp } from "../helpers/otlp_schema.ts";
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
  const lines = (await sample().registry.metrics()).split("\n");
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
    await writer.write(
      new TextEncoder().encode(await sample().registry.metrics()),
    );
    await writer.close();
    const { code, stderr } = await child.output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  },
});

Deno.test("OTLP carries the same counts, as the published schema has them: sums, gauges, and buckets each by itself", async () => {
  const request = await encodeOtlp(sample().registry, {
    startMs: 1_000,
    nowMs: 2_500,
    attributes: { "host.name": "kiosk-3" },
  });
  const { resourceMetrics: [decoded] } = decodeOtlp(JSON.stringify(request));
  assertEquals(attributesOf(decoded!.resource)["host.name"], "kiosk-3");
  const { metrics } = decoded!.scopeMetrics[0]!;
  const named = (name: string) =>
    metrics.find((metric) => metric.name === `jarvis_agent_${name}`)!.data;

  const bytes = named("delivered_bytes_total");
  assertEquals([bytes.case, bytes.value.isMonotonic], ["sum", true]);
  const CUMULATIVE = 2;
  assertEquals(bytes.value.aggregationTemporality, CUMULATIVE);
  const [point] = bytes.value.dataPoints;
  assertEquals(point!.value, { case: "asDouble", value: 1500 });
  assertEquals(point!.startTimeUnixNano, 1_000_000_000n);
  assertEquals(point!.timeUnixNano, 2_500_000_000n);

  const attempts = named("attempts_total").value.dataPoints;
  assertEquals(
    attempts.map((point) => [attributesOf(point).outcome, point.value.value]),
    [["delivered", 2], ["server_error", 1]],
  );

  const seconds = named("upload_seconds");
  const [histogram] = seconds.value.dataPoints;
  const { count, sum, bucketCounts, explicitBounds } = histogram!;
  assertEquals([seconds.case, count, sum], ["histogram", 2n, 0.77]);
  assertEquals(seconds.value.aggregationTemporality, CUMULATIVE);
  assertEquals(bucketCounts.length, explicitBounds.length + 1);
  const counted = explicitBounds.filter((_, n) => bucketCounts[n]! > 0n);
  assertEquals(counted, [0.1, 1]);

  const oldest = named("oldest_pending_age_seconds");
  assertEquals(oldest.case, "gauge");
  assertEquals(oldest.value.dataPoints[0]!.value.value, 90);
});

Deno.test("a receiver that goes by the published schema refuses what is not in it", () => {
  for (
    const metric of [
      { name: "a", gauge: { points: [] } },
      { name: "a", sum: { isMonotonic: "yes" } },
      { name: "a", histogram: { dataPoints: [{ bucketCounts: ["1.5"] }] } },
    ]
  ) {
    const request = {
      resourceMetrics: [{ scopeMetrics: [{ metrics: [metric] }] }],
    };
    assertThrows(() => decodeOtlp(JSON.stringify(request)));
  }
});
