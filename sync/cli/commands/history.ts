import type { DeliveredEntry } from "../../queue/queue.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { moreText, readSelection, select } from "../selection.ts";
import { lookInto, noQueue } from "../store.ts";
import { alignedLines, sizeText } from "../table.ts";

/** Shows the deliveries, the latest first. */
export function run({ settings, given, out, err }: CommandContext): number {
  const selection = readSelection(given);
  using look = lookInto(settings);
  if (!look) err(`jarvis-agent: ${noQueue(settings)}`);
  const deliveries = look?.queue.deliveries(selection.sinceMs) ?? [];
  const { shown, more } = select(deliveries, selection);
  if (given.has("json")) out(JSON.stringify(shown));
  else alignedLines(shown.map(forPerson)).forEach((line) => out(line));
  if (more > 0) err(moreText(more));
  return ExitCode.ok;
}

function forPerson(entry: DeliveredEntry): string[] {
  const { id, deliveredAt, size, elapsedMs, serverId, filepath } = entry;
  return [
    deliveredAt,
    id,
    sizeText(size),
    elapsedMs === null ? "?" : `${(elapsedMs / 1000).toFixed(1)} s`,
    serverId ?? "(no id given)",
    filepath,
  ];
}
