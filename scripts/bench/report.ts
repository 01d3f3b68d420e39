/** The findings of a run, as a table in Markdown. */
import { markdownTable } from "../markdown_table.ts";

/** One line of the table. */
export interface Finding {
  what: string;
  value: number;
  unit: string;
  /** The target, if there is one. */
  atLeast?: number;
  atMost?: number;
  /** The figures that it comes from. */
  detail: string;
}

/** Whether the target was reached; `undefined` where there is none. */
export function isReached(finding: Finding): boolean | undefined {
  const { value, atLeast, atMost } = finding;
  if (atLeast !== undefined) return value >= atLeast;
  if (atMost !== undefined) return value <= atMost;
  return undefined;
}

/** One line for each finding. */
export function formatTable(findings: readonly Finding[]): string {
  const rows = findings.map((finding) => {
    const reached = isReached(finding);
    return [
      finding.what,
      `${formatNumber(finding.value)} ${finding.unit}`,
      formatTarget(finding),
      reached === undefined ? "" : reached ? "reached" : "MISSED",
      finding.detail,
    ];
  });
  const head = ["measured", "figure", "target", "verdict", "from"];
  return markdownTable(head, rows);
}

function formatTarget({ atLeast, atMost }: Finding): string {
  if (atLeast !== undefined) return `≥ ${formatNumber(atLeast)}`;
  if (atMost !== undefined) return `≤ ${formatNumber(atMost)}`;
  return "";
}

/** Three digits, or all that are before the point. */
export function formatNumber(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}
