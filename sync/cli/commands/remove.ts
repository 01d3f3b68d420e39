import { counted } from "../../host/counted.ts";
import { exists } from "../../host/files.ts";
import type { QueuedCapture } from "../../queue/queue.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { queuedByName } from "../named_captures.ts";
import { openExistingStore } from "../store.ts";

/** Removes captures, prints their ids, and tells the fate of their bytes. */
export function run(
  { settings, given, args, out, err }: CommandContext,
): number {
  using store = openExistingStore(settings, err);
  const { queue, intake } = store;
  const named = queuedByName(queue, args, { verb: "remove", err });
  const found = named.captures;
  const asks = found.length > 0 && !given.has("yes") &&
    Deno.stdin.isTerminal();
  if (asks) {
    found.forEach((capture) => err(fateOf(capture)));
    const what = `Remove ${counted(found.length, "capture")}, undelivered?`;
    if (!confirm(what)) {
      err("jarvis-agent: Nothing was removed");
      return ExitCode.failure;
    }
  }
  const removed = intake.remove(found.map(({ id }) => id));
  removed.forEach((id) => out(id));
  for (const capture of asks ? [] : found) {
    if (removed.includes(capture.id)) err(fateOf(capture));
  }
  return named.isComplete ? ExitCode.ok : ExitCode.failure;
}

/** The fate of the bytes of a capture that is removed. */
function fateOf({ id, filepath, spooled, status }: QueuedCapture): string {
  const original = exists(filepath)
    ? `"${filepath}" stays`
    : `"${filepath}" is not there any more`;
  const bytes = spooled
    ? `the spool's copy goes, ${original}`
    : `there is no copy, ${original}`;
  const sent = status === "uploading"
    ? "; it is being sent, so that the server may get it all the same"
    : "";
  return `jarvis-agent: ${id}: ${bytes}${sent}`;
}
