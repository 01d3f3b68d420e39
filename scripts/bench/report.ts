/** What a run has found, as a table and as JSON. */
import type { Finding } from "./bench.ts";

/** The surroundings that the figures depend on. */
export interface Surroundings {
  scale: string;
  rounds: number;
  date: string;
  deno: string;
  os: string;
  cores: number;
  sqlite: string;
  missing: string[];
}

/** Whether what is to be reached was reached; `undefined` where nothing is. */
export function isReached(finding: Finding): boolean | undefined {
  const { value, atLeast, atMost } = finding;
  if (atLeast !== undefined) return value >= atLeast;
  if (atMost !== undefined) return value <= atMost;
  return undefined;
}

/** One line for each finding, in columns. */
export function formatTable(findings: readonly Finding[]): string {
  const rows = findings.map((finding) => {
    const reached = isReached(finding);
    return [
      String(finding.point),
      finding.what,
      `${formatNumber(finding.value)} ${finding.unit}`,
      formatTarget(finding),
      reached === undefined ? "" : reached ? "reached" : "SHORT",
      finding.detail,
    ];
  });
  const table = [["", "measured", "figure", "target", "", "from"], ...rows];
  const widths = table[0]!.map((_, column) =>
    Math.max(...table.map((row) => row[column]!.length))
  );
  return table.map((row) =>
    row.map((cell, column) =>
      column === 2
        ? cell.padStart(widths[column]!)
        : cell.padEnd(widths[column]!)
    ).join("  ").trimEnd()
  ).join("\n");
}

/** The findings for programs, and for comparing with another run. */
export function formatJson(
  surroundings: Surroundings,
  findings: readonly Finding[],
): string {
  const lines = findings.map((finding) => ({
    ...finding,
    value: Number(finding.value.toPrecision(4)),
    reached: isReached(finding),
  }));
  return JSON.stringify({ ...surroundings, findings: lines }, null, 2) + "\n";
}

function formatTarget({ atLeast, atMost }: Finding): string {
  if (atLeast !== undefined) return `≥ ${formatNumber(atLeast)}`;
  if (atMost !== undefined) return `≤ ${formatNumber(atMost)}`;
  return "";
}

function formatNumber(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toFixed(Math.abs(value) >= 10 ? 1 : 2)));
}
