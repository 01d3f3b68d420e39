import { capturesWait } from "../host/counted.ts";
import { outsideText } from "../host/week_table.ts";
import type { Finding } from "./finding.ts";
import { isOutside, waitingIn } from "./judge.ts";
import type { Facts } from "./status_report.ts";

/** Whether all is well, in one line. */
export interface Verdict {
  /** `warning`: a person is needed. `failure`: nothing is delivered. */
  level: "ok" | "warning" | "failure";
  text: string;
}

/** Sums up the findings by the worst of them. */
export function verdictOf(facts: Facts, findings: Finding[]): Verdict {
  const worst = findings.find(({ outage }) => outage) ??
    findings.find(({ level }) => level === "failure") ??
    findings.find(({ level }) => level === "warning");
  if (!worst) return { level: "ok", text: whatWaits(facts) };
  return { level: worst.outage ? "failure" : "warning", text: worst.text };
}

/** The remedies, a line for each problem. */
export function adviceOn(findings: Finding[]): string[] {
  return findings.filter(({ level }) => level !== "ok").map((
    { text, remedy },
  ) => `${text.charAt(0).toUpperCase()}${text.slice(1)}: ${remedy}`);
}

/** All that is wrong, in one line, or that nothing is. */
export function summaryOf(facts: Facts, findings: Finding[]): string {
  return findings.filter(({ level }) => level !== "ok")
    .map(({ text }) => text).join("; ") || whatWaits(facts);
}

function whatWaits(facts: Facts): string {
  const waiting = capturesWait(waitingIn(facts));
  if (waitingIn(facts) === 0) return "everything is delivered";
  if (!isOutside(facts)) return `${waiting} to be delivered`;
  const { schedule, time } = facts;
  const untilMs = schedule!.until === null ? null : Date.parse(schedule!.until);
  return `${outsideText(untilMs, Date.parse(time))}, ${waiting}`;
}
