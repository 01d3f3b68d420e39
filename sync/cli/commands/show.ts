import { isAgentRunning } from "../../agent/agent_lock.ts";
import { tryTo } from "../../host/try_to.ts";
import type {
  Attempt,
  DeliveredEntry,
  QueuedCapture,
} from "../../queue/queue.ts";
import {
  captureForJson,
  describePause,
  describeStatus,
} from "../capture_text.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { explainName, findNamed } from "../named_captures.ts";
import { lookInto, noQueue, type StoreView } from "../store.ts";
import { alignedLines, sizeText } from "../table.ts";
import { outsideSchedule } from "../settings/timetable.ts";

/** Shows all that is known of one capture. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, args, given, out, err } = context;
  const text = args[0]!;
  using look = lookInto(settings);
  if (!look) throw new Error(noQueue(settings));
  const found = findNamed(look.queue, text);
  const { queued, delivered } = found;
  if (queued.length + delivered.length !== 1) {
    explainName(text, found, { verb: "show", err });
    return ExitCode.failure;
  }
  const isRunning = await isAgentRunning(look.queue.path);
  const shown = queued[0]
    ? ofQueued(queued[0], look, isRunning)
    : ofDelivered(delivered[0]!);
  const attempts = look.queue.attempts(shown.id);
  if (given.has("json")) {
    out(JSON.stringify({ ...shown.json, history: attempts.map(forJson) }));
    return ExitCode.ok;
  }
  alignedLines([["Id", shown.id], ...shown.rows]).forEach((line) => out(line));
  if (attempts.length > 0) out("Attempts, the last 20 at most:");
  alignedLines(attempts.map(forPerson)).forEach((line) => out(`  ${line}`));
  return ExitCode.ok;
}

interface Shown {
  id: string;
  rows: [string, string][];
  json: Record<string, unknown>;
}

function ofQueued(
  capture: QueuedCapture,
  { queue, spool }: StoreView,
  isRunning: boolean,
): Shown {
  const { id, filepath, size, sha256, spooled, watched } = capture;
  const path = spooled && spool?.canHold(id) ? spool.pathOf(id) : filepath;
  const bytes = { path, isCopy: spooled, exists: isThere(path) };
  const next = nextOf(capture, queue, isRunning);
  const rows: [string, string | null][] = [
    ["File", filepath],
    ["Status", describeStatus(capture)],
    ["Queued", capture.createdAt],
    ["Size", sizeText(size)],
    ["SHA-256", sha256],
    [
      "Bytes",
      `${spooled ? "the agent's copy" : "the file itself"}, ${path}` +
      (bytes.exists ? "" : " (missing)"),
    ],
    [
      "Source",
      watched ? "found in a watched folder" : "handed over (enqueue or upload)",
    ],
    ["Metadata", capture.metadataJson],
    ["Last error", capture.lastError],
    ["Next", next],
  ];
  return {
    id,
    rows: known(rows),
    json: { ...captureForJson(capture), sha256, watched, bytes, next },
  };
}

function nextOf(
  { id, status, nextAttemptAt }: QueuedCapture,
  queue: StoreView["queue"],
  isRunning: boolean,
): string {
  if (status === "failed") {
    const isLost = queue.isOverwritten(id) &&
      !queue.attempts(id).at(-1)?.status;
    return isLost
      ? "nothing: its bytes are lost, it is forgotten a day after it failed"
      : `nothing, until "jarvis-agent retry ${id}"`;
  }
  if (status === "uploading" && isRunning) return "it is being sent";
  const pause = queue.getPause();
  if (pause) return describePause(pause);
  if (!isRunning) return 'no agent runs: "jarvis-agent run" or "sync" sends it';
  const outside = outsideSchedule(queue.getAgentState().schedule);
  if (outside) return `it is ${outside}`;
  return status === "pending" && nextAttemptAt
    ? `it is sent again at ${nextAttemptAt}`
    : "it is sent as soon as its turn comes";
}

function ofDelivered(entry: DeliveredEntry): Shown {
  const { id, filepath, size, sha256, serverId, deliveredAt } = entry;
  const left = isThere(filepath);
  const rows: [string, string | null][] = [
    ["File", `${filepath}${left ? "" : " (not there any more)"}`],
    ["Status", `delivered as ${serverId ?? "(no id given)"}`],
    ["Delivered", deliveredAt],
    ["Size", sizeText(size)],
    ["SHA-256", sha256],
    ["Next", "nothing: the server has it"],
  ];
  const bytes = { path: filepath, isCopy: false, exists: left };
  return {
    id,
    rows: known(rows),
    json: { status: "delivered", ...entry, bytes },
  };
}

function known(rows: [string, string | null][]): [string, string][] {
  return rows.filter((row): row is [string, string] => row[1] !== null);
}

function isThere(path: string): boolean {
  return tryTo(() => Deno.statSync(path))?.isFile ?? false;
}

function forPerson(attempt: Attempt): string[] {
  const { startedMs, elapsedMs, status, error } = attempt;
  return [
    new Date(startedMs).toISOString(),
    status === null ? "no answer" : `HTTP ${status}`,
    `${elapsedMs} ms`,
    error ?? (status === null ? "" : "delivered"),
  ];
}

function forJson({ startedMs, elapsedMs, status, error }: Attempt) {
  return { time: new Date(startedMs).toISOString(), elapsedMs, status, error };
}
