import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "@std/path";
import {
  SETTINGS_PAGE,
  settingsPage,
} from "../../scripts/docs/settings_page.ts";
import { projectPath } from "../../scripts/task/bindings.ts";
import { COMMANDS } from "../../sync/cli/commands.ts";
import { OPTIONS, type OptionSpec } from "../../sync/cli/options.ts";
import { AgentMetrics } from "../../sync/monitor/metrics.ts";
import { MUTANTS } from "../chaos/mutants.ts";
import { hasProgram } from "../helpers/has_program.ts";
import { reportWith } from "../helpers/status_report.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const METRICS = "docs/metrics.md";
const RULES = "docs/prometheus.rules.yml";
/** What is written for whoever uses or changes the program. */
const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "SECURITY.md",
  ...[...Deno.readDirSync(projectPath("docs"))]
    .map(({ name }) => `docs/${name}`)
    .filter((path) => path.endsWith(".md")),
];

const text = (path: string) => Deno.readTextFileSync(projectPath(path));
/** A page as one line, with what it says on each. */
const prose = (path: string) => text(path).replace(/\s+/g, " ");
const options: Readonly<Record<string, OptionSpec>> = OPTIONS;
Deno.test("the page of settings is the program's own table", () => {
  assertEquals(
    text(SETTINGS_PAGE),
    settingsPage(),
    "run scripts/docs/settings_page.ts",
  );
});

Deno.test("the README has every command, and no other", () => {
  const [, table] = text("README.md").split(/^\| command .*$/m);
  const rows = table!.split("\n\n", 1)[0]!.matchAll(/^\| (`.*?) {2}/gm);
  const named = [...rows].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([a-z]+)[ `]/g)].map(([, name]) => name!)
  );
  assertEquals(named.toSorted(), Object.keys(COMMANDS).toSorted());
  const shown = PAGES.flatMap((page) => [
    ...text(page).matchAll(/(?:^ {4}|`)jarvis-agent ([a-z]+)/gm),
  ]);
  for (const [line, name] of shown) assert(name! in COMMANDS, line);
});

Deno.test("the pages for users name no option that there is not", () => {
  // Of the project's own tasks and scripts, which have options of their own.
  const others = [
    "scripts/build/compile.ts",
    "scripts/bench/main.ts",
    "scripts/server/main.ts",
    "tests/chaos/main.ts",
    "tests/fuzz/main.ts",
  ].map(text).join("\n");
  // Of Deno, curl, systemctl, and every program.
  const foreign = /^(allow-(read|write|net|ffi)|parallel|user|help)$/;
  for (const page of PAGES.filter((page) => page !== "CONTRIBUTING.md")) {
    for (const [, name] of text(page).matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)) {
      const isKnown = name! in OPTIONS || foreign.test(name!) ||
        others.includes(`--${name} `);
      assert(isKnown, `${page}: --${name}`);
    }
  }
});

Deno.test("the pages name the options' own defaults", () => {
  for (const page of PAGES.filter((page) => page !== SETTINGS_PAGE)) {
    const parts = prose(page).split("(default: ");
    for (const [n, after] of parts.slice(1).entries()) {
      const value = after.slice(0, after.indexOf(")"));
      const name = [...parts[n]!.matchAll(/`--([a-z-]+)/g)].at(-1)?.[1];
      const spec = options[name!];
      assert(spec, `${page}: an option for the default "${value}"`);
      assertStringIncludes(spec.help, `default: ${value}`, `--${name}`);
    }
  }
});

Deno.test("the pages name every variable, and no other", () => {
  const known = [
    ...Object.values(options).flatMap(({ env }) => env ?? []),
    "JARVIS_TOKEN",
    // Of the tasks.
    "JARVIS_DEPS",
  ];
  const named = PAGES.flatMap((page) =>
    [...text(page).matchAll(/JARVIS_[A-Z_]*[A-Z]/g)].map(([name]) => name)
  );
  assertEquals([...new Set(named)].toSorted(), known.toSorted());
});

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
  for (const path of [...PAGES, RULES]) {
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

Deno.test("every test that the pages name is there, under its name", () => {
  const entry = /`(?:tests\/)?([a-z_/]+_test\.ts)`((?:[,:]? "[^"]+")*)/g;
  let count = 0;
  for (const page of PAGES) {
    for (const [, file, names] of prose(page).matchAll(entry)) {
      const tests = prose(`tests/${file}`);
      for (const [, name] of names!.matchAll(/"([^"]+)"/g)) {
        assert(tests.includes(name!), `${page}: "${name}" of ${file}`);
        count++;
      }
    }
  }
  assert(count > 0);
});

Deno.test("every row of what was tried names a test", () => {
  const rows = text("docs/tried.md").split("\n")
    .filter((line) => /^\| (?!-|what )/.test(line));
  assert(rows.length > 0);
  for (const row of rows) {
    assert(/_test\.ts` "|not done|not tested/.test(row), row);
  }
});

Deno.test("the page about chaos names everything that is taken out in turn", () => {
  for (const name of Object.keys(MUTANTS)) {
    assertStringIncludes(prose("docs/chaos.md"), name);
  }
});

Deno.test("the pages lead to files that are there", () => {
  for (const page of PAGES) {
    const links = text(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g);
    for (const [, link] of links) {
      Deno.statSync(join(dirname(projectPath(page)), link!));
    }
  }
});
