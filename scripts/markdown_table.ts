/** A table in Markdown, its columns padded as `deno fmt` would. */
export function markdownTable(head: string[], rows: string[][]): string {
  const widths = head.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => row[column]!.length))
  );
  const rule = widths.map((width) => "-".repeat(width));
  return [head, rule, ...rows].map((cells) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`
  ).join("\n");
}
