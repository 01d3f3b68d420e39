import type { CaptureStatus, QueuedCapture } from "../../queue/queue.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { lookInto, noQueue } from "../store.ts";

const STATUSES: readonly string[] = ["pending", "uploading", "failed"];

/** Shows what is in the queue. */
export function run({ settings, given, out, err }: CommandContext): number {
  const status = given.text("status");
  if (status !== undefined && !STATUSES.includes(status)) {
    throw given.wrong("status", "pending, uploading or failed");
  }
  const limit = given.number("limit", 100, { min: 1, max: 1e9, whole: true });
  using look = lookInto(settings);
  if (!look) err(`jarvis-agent: ${noQueue(settings)}`);
  const captures = look?.queue.list({
    ...(status && { status: status as CaptureStatus }),
    limit,
  }) ?? [];
  if (given.has("json")) out(JSON.stringify(captures.map(forJson)));
  else captures.flatMap(forPerson).forEach((line) => out(line));
  return ExitCode.ok;
}

function forJson(capture: QueuedCapture) {
  const { id, filepath, createdAt, attempts, lastAttempt } = capture;
  const { nextAttemptAt, status, lastError, size } = capture;
  return {
    id,
    filepath,
    metadata: readable(capture.metadataJson),
    createdAt,
    attempts,
    lastAttempt,
    nextAttemptAt,
    status,
    lastError,
    size,
  };
}

/** An older program may have written anything. */
function readable(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

function forPerson(capture: QueuedCapture): string[] {
  const { id, createdAt, status, attempts, filepath, lastError } = capture;
  const tried = attempts > 0 ? ` (${attempts} attempts)` : "";
  const line = `${id}  ${createdAt}  ${status}${tried}  ${filepath}`;
  return lastError ? [line, `    ${lastError}`] : [line];
}
