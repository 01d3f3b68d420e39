import type { CaptureStatus, QueuedCapture } from "../../queue/queue.ts";
import { UsageError } from "../arguments.ts";
import { captureForJson, describeStatus } from "../capture_text.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import {
  readSelection,
  select,
  type Selection,
  tellMore,
} from "../selection.ts";
import { lookInto, noQueue } from "../store.ts";
import {
  alignedLines,
  Columns,
  pages,
  printJson,
  sizeText,
  span,
} from "../table.ts";
import { run as showHistory } from "./history.ts";

const STATUSES: readonly string[] = ["pending", "uploading", "failed"];

/** Shows the captures in the queue. */
export function run(context: CommandContext): number {
  const { settings, given, out, err } = context;
  const status = given.text("status") as CaptureStatus | undefined;
  if (given.text("status") === "delivered") {
    for (const name of ["reason", "group"] as const) {
      if (given.text(name) === undefined) continue;
      throw new UsageError(
        `Cannot use --${name} for what is delivered, which has no error: expected another --status`,
      );
    }
    return showHistory(context);
  }
  if (status !== undefined && !STATUSES.includes(status)) {
    throw given.wrong("status", "pending, uploading, failed or delivered");
  }
  if (given.text("group") !== undefined) given.oneOf("group", ["reason"]);
  const selection = readSelection(given);
  using look = lookInto(settings);
  if (!look) err(`jarvis-agent: ${noQueue(settings)}`);
  const { sinceMs } = selection;
  const captures = look?.queue.captures({ status, sinceMs }) ?? [];
  if (given.text("group") !== undefined) {
    showGroups(captures, selection, context);
    return ExitCode.ok;
  }
  const stats = selection.isAll ? look?.queue.getStats() : undefined;
  const total = stats &&
    (status ? stats[status] : stats.pending + stats.uploading + stats.failed);
  const shown = select(captures, selection, { total, err });
  if (given.has("json")) printJson(shown.map(captureForJson), { out });
  else showCaptures(shown, out);
  return ExitCode.ok;
}

function showCaptures(
  captures: Iterable<QueuedCapture>,
  out: (line: string) => void,
): void {
  const columns = new Columns();
  for (const page of pages(captures)) {
    const lines = columns.lines(page.map((capture) => [
      capture.id,
      describeStatus(capture),
      `${span(Date.now() - Date.parse(capture.createdAt))} old`,
      sizeText(capture.size),
      capture.filepath,
    ]));
    page.forEach(({ lastError }, at) => {
      out(lines[at]!);
      if (lastError) out(`    ${lastError}`);
    });
  }
}

interface Group {
  reason: string | null;
  count: number;
  oldest: string;
  newest: string;
}

function showGroups(
  captures: Iterable<QueuedCapture>,
  { admits, limit }: Selection,
  { given, out, err }: CommandContext,
): void {
  const groups = new Map<string | null, Group>();
  for (const capture of captures) {
    if (!admits(capture)) continue;
    const { lastError, filepath, createdAt } = capture;
    const reason = lastError?.replaceAll(filepath || " ", "…") ?? null;
    const group = groups.get(reason) ??
      { reason, count: 0, oldest: createdAt, newest: createdAt };
    group.count++;
    group.newest = createdAt;
    groups.set(reason, group);
  }
  const sorted = [...groups.values()].sort((a, b) => b.count - a.count);
  tellMore(sorted.splice(limit).length, err);
  if (given.has("json")) return out(JSON.stringify(sorted));
  alignedLines(sorted.map(({ reason, count, oldest }) => [
    String(count),
    `the oldest ${span(Date.now() - Date.parse(oldest))} old`,
    reason ?? "no error yet",
  ])).forEach((line) => out(line));
}
