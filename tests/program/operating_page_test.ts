/** The operating guide, docs/operating.md, held against what the program says. */

import { assert, assertEquals } from "@std/assert";
import { projectPath } from "../../scripts/task/bindings.ts";
import { adviceOn } from "../../sync/monitor/advice.ts";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { Host } from "../helpers/host.ts";
import { runInProcess } from "../helpers/in_process.ts";
import { reportWith } from "../helpers/status_report.ts";

const page = Deno.readTextFileSync(projectPath("docs/operating.md"));

/** The first cells of the table below a heading. */
function messages(heading: string): string[] {
  const part = page.split(/^## /m).find((part) => part.startsWith(heading));
  assert(part, heading);
  const rows = part.matchAll(/^\| (`.*?`) +\|/gm);
  return [...rows].flatMap(([, cell]) =>
    cell!.split("`, `").map((text) => text.replace(/^`|`$/g, ""))
  );
}

/** What is shorter may stand anywhere. */
const LONG = 12;

/** The parts of a message that are the same each time. */
const fixedParts = (message: string) =>
  message.split(/…|": /).map((part) => part.trim())
    .filter((part) => part.length >= LONG);

function sourcesOf(dir: string): string {
  return Array.from(Deno.readDirSync(dir), ({ name, isDirectory }) => {
    const path = `${dir}/${name}`;
    return isDirectory ? sourcesOf(path) : Deno.readTextFileSync(path);
  }).join("\n");
}

/** The program's sources, with texts that go on in the next line in one piece. */
const sources = sourcesOf(projectPath("sync")).replace(
  /["'`] \+\n\s*["'`]/g,
  "",
);

function matches(pattern: string, text: string): boolean {
  const parts = pattern.split("…").map((part) => RegExp.escape(part));
  return new RegExp(`^${parts.join(".*")}$`).test(text);
}

const service = { state: "failed", reason: null };

/** A report for each thing that status asks a person for. */
function reports(): StatusReport[] {
  const { agent, server } = reportWith();
  const stopped = { ...agent, running: false };
  const hanging = { ...agent, hanging: true };
  const down = (reason: string | null) => ({
    server: { ...server, state: "down" as const, reason },
  });
  const folder = (watchedBy: "missing" | "refused") => ({
    folders: [{ path: "/x", watchedBy, reason: "it is a link" }],
  });
  const unread = "Cannot read it; captures wait until it can be read";
  const problem = "A reload was refused: no; going on with what held before";
  return [
    { agent: stopped },
    { agent: stopped, service },
    { agent: stopped, service: { ...service, reason: "exit status 1" } },
    { agent: hanging },
    { agent: hanging, service },
    { agent: { ...agent, problem } },
    { agent: { ...agent, problem: unread } },
    { paused: { since: "then", until: null } },
    down("HTTP 401: no"),
    down("HTTP 407"),
    down("HTTP 404"),
    down("HTTP 204 with an empty body: this is not the capture server"),
    down("certificate has expired"),
    down(null),
    { spool: { bytes: 95, maxBytes: 100, freeBytes: 1e9 } },
    { spool: { bytes: 0, maxBytes: null, freeBytes: 1 } },
    folder("missing"),
    folder("refused"),
    { failed: 3 },
  ].map(reportWith);
}

Deno.test("the operating guide has each advice of status, and no other", async () => {
  await using host = new Host("http://127.0.0.1:9");
  await runInProcess(["enqueue", host.write("a.png")], host.env);
  host.write("data/queue.db.corrupt-20260102", "");
  host.write("data/spool/orphans/x", "");
  const { stdout } = await runInProcess(["status", "--json"], host.env);
  const advice: string[] = [
    ...JSON.parse(stdout).advice,
    ...reports().flatMap((report) => adviceOn(report, { minFreeBytes: 1000 })),
  ];
  const patterns = messages("What `status` asks for");
  const unsaid = new Set(patterns);
  for (const line of advice) {
    const found = patterns.filter((pattern) => matches(pattern, line));
    assertEquals(found.length, 1, line);
    unsaid.delete(found[0]!);
  }
  assertEquals([...unsaid], []);
  // What is added to the program must be added above, and so to the page.
  const code = ["sync/monitor/advice.ts", "sync/cli/status_report.ts"]
    .map((path) => Deno.readTextFileSync(projectPath(path))).join("\n")
    .replace(/\/\*\*[^]*?\*\/|\/\/.*|^import .*$/gm, "")
    .replace(/["'`] \+\n\s*["'`]/g, "");
  for (const [literal] of code.matchAll(/(["'`])(?:(?!\1).)+\1/g)) {
    const [longest] = literal.slice(1, -1).split(/\$\{[^}]*\}/)
      .toSorted((a, b) => b.length - a.length);
    if (longest!.length < LONG) continue;
    assert(advice.some((line) => line.includes(longest!)), longest);
  }
});

Deno.test("the operating guide has each subject of doctor, and no other", () => {
  const doctor = sourcesOf(projectPath("sync/cli/doctor")) +
    Deno.readTextFileSync(projectPath("sync/cli/commands/doctor.ts"));
  const calls = doctor.matchAll(/\b(?:ok|warning|failure)\(\s*"([^"]+)",/g);
  assertEquals(
    messages("What `doctor` looks at").toSorted(),
    [...new Set([...calls].map(([, what]) => what!))].toSorted(),
  );
});

Deno.test("the operating guide quotes errors as the program writes them", () => {
  const quoted = [
    ...messages("Failed captures").filter((text) => !text.startsWith("HTTP")),
    ...messages("Why it does not start"),
    "A reload was refused: …; going on with what held before",
    "…; captures wait until it can be read",
  ];
  for (const message of quoted) {
    const parts = fixedParts(message);
    for (const part of parts) assert(sources.includes(part), part);
  }
});
