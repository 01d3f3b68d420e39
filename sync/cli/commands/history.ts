import type { DeliveredEntry } from "../../queue/queue.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { readSelection, select } from "../selection.ts";
import { lookInto, noQueue } from "../store.ts";
import { Columns, pages, printJson, sizeText } from "../table.ts";

/** Shows the deliveries, the latest first. */
export function run({ settings, given, out, err }: CommandContext): number {
  const selection = readSelection(given);
  using look = lookInto(settings);
  if (!look) err(`jarvis-agent: ${noQueue(settings)}`);
  const deliveries = look?.queue.deliveries(selection.sinceMs) ?? [];
  const shown = select(deliveries, selection, { err });
  if (given.has("json")) {
    printJson(shown, { out });
    return ExitCode.ok;
  }
  const columns = new Columns();
  for (const page of pages(shown)) {
    columns.lines(page.map(forPerson)).forEach((line) => out(line));
  }
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
