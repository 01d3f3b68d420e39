import { assertEquals } from "@std/assert";
import { judge } from "../../sync/monitor/judge.ts";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { adviceOn, summaryOf, verdictOf } from "../../sync/monitor/verdict.ts";
import { JUDGED_STATES } from "../helpers/judged_states.ts";
import { reportWith } from "../helpers/status_report.ts";

Deno.test("the judge names what is wrong in each state, with its remedy, and nothing else", () => {
  for (const { report, limits, said } of JUDGED_STATES) {
    const wrong = judge(report, limits).filter(({ level }) => level !== "ok")
      .map(({ outage, level, what, text, remedy }) =>
        `${outage ? "outage" : level} ${what}: ${text} → ${remedy}`
      );
    assertEquals(wrong.join("\n"), said);
  }
});

/** Verdict, summary and the number of lines of advice. */
function shown(report: StatusReport) {
  const findings = judge(report);
  const { level, text } = verdictOf(report, findings);
  const summary = summaryOf(report, findings);
  return [`${level}: ${text}`, summary, adviceOn(findings).length];
}

Deno.test("the verdict is the worst that was found, advice and summary have all of it", () => {
  const folder = {
    path: "/x",
    watchedBy: "missing" as const,
    reason: null,
    unreadable: 0,
    firstUnreadable: null,
    remaining: 0,
    firstRemaining: null,
  };
  let given = { failed: 1, folders: [] as typeof folder[] };
  const failed = "1 capture has failed";
  assertEquals(shown(reportWith(given)), [`warning: ${failed}`, failed, 1]);
  given = { ...given, folders: [folder] };
  const missing = 'the watched folder "/x" is missing';
  assertEquals(
    shown(reportWith(given)),
    [`warning: ${missing}`, `${missing}; ${failed}`, 2],
  );
  const gone = "no agent runs";
  assertEquals(
    shown(reportWith({ ...given, agent: { running: false } })),
    [`failure: ${gone}`, `${gone}; ${missing}; ${failed}`, 3],
  );
});

Deno.test("where nothing is wrong the verdict says what waits", () => {
  const schedule = { text: "Sat", open: false, since: null, until: null };
  for (
    const [given, text] of [
      [{}, "everything is delivered"],
      [{ uploading: 1 }, "1 capture waits to be delivered"],
      [{ pending: 2, schedule }, "outside the schedule, 2 captures wait"],
    ] as const
  ) assertEquals(shown(reportWith(given)), [`ok: ${text}`, text, 0]);
});
