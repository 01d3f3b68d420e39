/** The pages about metrics and alerts, held against what the program counts. */

import { assert, assertEquals } from "@std/assert";
import { projectPath } from "../../scripts/task/bindings.ts";
import { AgentMetrics } from "../../sync/monitor/metrics.ts";
import { hasProgram } from "../helpers/has_program.ts";
import { reportWith } from "../helpers/status_report.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const METRICS = "docs/metrics.md";
const RULES = "docs/prometheus.rules.yml";
const PAGES = ["README.md", METRICS, "docs/alerts.md", RULES];

const text = (path: string) => Deno.readTextFileSync(projectPath(path));

/** The rows of a page's tables, each with its cells' text. */
function rowsOf(path: string): string[][] {
  return text(path).split("\n").filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
}

const codes = (cell: string) =>
  [...cell.matchAll(/`(\w+)`/g)].map(([, code]) => code!).toSorted();

Deno.test("the page about metrics has each with its type, its unit and its labels", async () => {
  const metrics = new AgentMetrics();
  metrics.count({ outcome: "delivered", elapsedMs: 1, bytes: 1 });
  metrics.observe(reportWith({
    spool: { bytes: 1, maxBytes: null, freeBytes: 1 },
  }));
  const known = await metrics.registry.getMetricsAsJSON();
  const rows = rowsOf(METRICS).filter(([name]) => name!.startsWith("`jarvis"));
  assertEquals(
    rows.map(([name]) => codes(name!)[0]).toSorted(),
    known.map(({ name }) => name).toSorted(),
  );
  const values = new Map(rowsOf(METRICS).map(([a, b]) => [a, codes(b!)]));
  for (const [cell, type, unit, labels] of rows) {
    const metric = known.find(({ name }) => cell === `\`${name}\``)!;
    assertEquals(String(metric.type), type, cell);
    const [, ending] = /_(bytes|seconds)(_total)?$/.exec(metric.name) ?? [];
    if (ending) assertEquals(unit, ending, cell);
    const seen = Map.groupBy(
      metric.values.flatMap(({ labels }) => Object.entries(labels)),
      ([label]) => label,
    );
    seen.delete("le");
    assertEquals(codes(labels!), [...seen.keys()].toSorted(), cell);
    for (const [label, entries] of seen) {
      if (label === "outcome" || /_build_info/.test(cell!)) continue;
      const found = entries.map(([, value]) => String(value)).toSorted();
      assertEquals(values.get(`\`${label}\``), found, label);
    }
  }
  const kinds = text("sync/upload/outcome.ts").matchAll(/^ \* \| `(\w+)`/gm);
  assertEquals(
    values.get("`outcome`"),
    [...kinds].map(([, kind]) => kind!).toSorted(),
  );
});

Deno.test("the pages and the alert rules name no metric that there is not", () => {
  const known = new AgentMetrics().registry.getMetricsAsArray()
    .map(({ name }) => name);
  for (const path of PAGES) {
    for (const [name] of text(path).matchAll(/jarvis_agent_[a-z_]*[a-z]/g)) {
      const base = name.replace(/_seconds_(bucket|count|sum)$/, "_seconds");
      assert(known.includes(base), `${path}: ${name}`);
    }
  }
});

async function promtool(...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("promtool", {
    args,
  }).output();
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert(success, said.join("\n"));
}

const ignore = !hasProgram("promtool");

Deno.test("promtool takes the alert rules", { ignore }, async () => {
  await promtool("check", "rules", projectPath(RULES));
});

Deno.test(
  "the alerts tell of what waits, but not while a person has paused it",
  { ignore },
  async () => {
    await using dir = new TempDir();
    const series = (host: string, paused: number) => [
      {
        series: `jarvis_agent_oldest_pending_age_seconds{instance="${host}"}`,
        values: "7200x60",
      },
      {
        series: `jarvis_agent_paused{instance="${host}"}`,
        values: `${paused}x60`,
      },
    ];
    const cases = [["stuck", 0], ["paused", 1]] as const;
    const tests = cases.map(([host, paused]) => ({
      interval: "1m",
      input_series: series(host, paused),
      promql_expr_test: [{
        expr:
          'count(ALERTS{alertname="JarvisCapturesWait",alertstate="firing"})',
        eval_time: "20m",
        exp_samples: paused ? [] : [{ labels: "{}", value: 1 }],
      }],
    }));
    // JSON is YAML too.
    const text = JSON.stringify({ rule_files: [projectPath(RULES)], tests });
    await promtool("test", "rules", dir.write("alerts.yml", text));
  },
);
