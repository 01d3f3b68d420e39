/** The pages about metrics and alerts, held against what the program counts. */

import { parser } from "@prometheus-io/lezer-promql";
import { assert, assertEquals } from "@std/assert";
import { projectPath } from "../../scripts/task/bindings.ts";
import { AgentMetrics } from "../../sync/monitor/metrics.ts";
import { hasProgram } from "../helpers/has_program.ts";
import { reportWith } from "../helpers/status_report.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const METRICS = "docs/metrics.md";
const RULES = "docs/prometheus.rules.yml";
const DASHBOARD = "docs/grafana.json";
const PAGES = ["README.md", METRICS, "docs/alerts.md", RULES, DASHBOARD];

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

Deno.test("pages, alert rules and dashboard name no metric that there is not", () => {
  const known = new AgentMetrics().registry.getMetricsAsArray()
    .map(({ name }) => name);
  for (const path of PAGES) {
    for (const [name] of text(path).matchAll(/jarvis_agent_[a-z_]*[a-z]/g)) {
      const base = name.replace(/_seconds_(bucket|count|sum)$/, "_seconds");
      assert(known.includes(base), `${path}: ${name}`);
    }
  }
});

/** What of a Grafana dashboard is looked at. */
interface Dashboard {
  templating: {
    list: { name: string; type: string; query: string | { query: string } }[];
  };
  panels: {
    id: number;
    title: string;
    datasource: { uid: string };
    gridPos: { x: number; y: number; w: number; h: number };
    targets: { expr: string; datasource: { uid: string } }[];
  }[];
}

const dashboard: Dashboard = JSON.parse(text(DASHBOARD));

/** A query with what Grafana puts in the place of its variables. */
function queryOf(expr: string): string {
  return expr.replaceAll("$__rate_interval", "5m").replaceAll(
    "$instance",
    ".*",
  );
}

/** What is wrong with a query, as Prometheus's own grammar has it; `null` if nothing. */
function faultIn(query: string): string | null {
  let fault: string | null = null;
  parser.parse(query).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) {
        fault ??= `${query.slice(0, from)}>>>${query.slice(from, to)}`;
      }
    },
  });
  return fault;
}

Deno.test("the dashboard's queries are PromQL, for the chosen hosts of the chosen source", () => {
  assertEquals(
    faultIn("sum by (le) (rate(a[5m])"),
    "sum by (le) (rate(a[5m])>>>",
  );
  const seen = new Set<string>();
  for (const { title, targets, datasource } of dashboard.panels) {
    assert(targets.length > 0, title);
    for (const { expr, ...target } of targets) {
      assertEquals(
        [datasource.uid, target.datasource.uid],
        Array(2).fill("${datasource}"),
      );
      assertEquals(faultIn(queryOf(expr)), null, title);
      for (
        const [, name, labels] of expr.matchAll(/(jarvis_\w+)(\{[^}]*\})?/g)
      ) {
        assert(labels?.includes('instance=~"$instance"'), `${title}: ${name}`);
        seen.add(name!.replace(/_seconds_bucket$/, "_seconds"));
      }
      // Nothing else is asked for, and no variable that there is not.
      const unknown = queryOf(expr).match(/\$\w+/);
      assertEquals(unknown, null, title);
    }
  }
  const known = new AgentMetrics().registry.getMetricsAsArray()
    .map(({ name }) => name);
  assertEquals([...seen].toSorted(), known.toSorted(), "a panel for each");
});

Deno.test("the dashboard chooses source and host, and no panel lies on another", () => {
  const variables = dashboard.templating.list;
  assertEquals(variables.map(({ name, type }) => [name, type]), [
    ["datasource", "datasource"],
    ["instance", "query"],
  ]);
  const taken = new Set<string>();
  const ids = dashboard.panels.map(({ id }) => id);
  assertEquals(new Set(ids).size, ids.length);
  for (const { title, gridPos: { x, y, w, h } } of dashboard.panels) {
    assert(x + w <= 24, title);
    for (let column = x; column < x + w; column++) {
      for (let row = y; row < y + h; row++) {
        assert(!taken.has(`${column},${row}`), title);
        taken.add(`${column},${row}`);
      }
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
