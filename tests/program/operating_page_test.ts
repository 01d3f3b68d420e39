/** The operating guide, docs/operating.md, held against what the program says. */

import { assert, assertEquals } from "@std/assert";
import { projectPath } from "../../scripts/task/bindings.ts";
import { judge } from "../../sync/monitor/judge.ts";
import { adviceOn } from "../../sync/monitor/verdict.ts";
import { JUDGED_STATES } from "../helpers/judged_states.ts";

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

Deno.test("the operating guide has each advice of status, and no other", () => {
  const advice = JUDGED_STATES.flatMap(({ report }) => adviceOn(judge(report)));
  const patterns = messages("What `status` asks for");
  const unsaid = new Set(patterns);
  for (const line of advice) {
    const found = patterns.filter((pattern) => matches(pattern, line));
    assertEquals(found.length, 1, line);
    unsaid.delete(found[0]!);
  }
  assertEquals([...unsaid], []);
  // What is added to the judge must be added to the states, and so to the page.
  const code = ["judge", "remedy"].map((name) =>
    Deno.readTextFileSync(projectPath(`sync/monitor/${name}.ts`))
  ).join("")
    .replace(/\/\*\*[^]*?\*\/|\/\/.*|^(import|\} from) .*$/gm, "")
    .replace(/["'`] \+\n\s*["'`]/g, "");
  const said = JUDGED_STATES
    .flatMap(({ report, limits }) => judge(report, limits))
    .flatMap(({ what, text, remedy }) => [what, text, remedy ?? ""]);
  for (const [literal] of code.matchAll(/(["'`])(?:(?!\1).)+\1/g)) {
    const [longest] = literal.slice(1, -1).split(/\$\{[^}]*\}/)
      .toSorted((a, b) => b.length - a.length);
    if (longest!.length < LONG) continue;
    assert(said.some((line) => line.includes(longest!)), longest);
  }
});

Deno.test("the operating guide has each subject of doctor, and no other", () => {
  const doctor = sourcesOf(projectPath("sync/cli/doctor")) +
    ["sync/cli/commands/doctor.ts", "sync/monitor/judge.ts"]
      .map((path) => Deno.readTextFileSync(projectPath(path))).join("\n");
  const calls = doctor.matchAll(
    /\b(?:ok|warning|failure|outage)\(\s*"([^"]+)",/g,
  );
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
