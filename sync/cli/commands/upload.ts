import { nudgeAgent } from "../../agent/agent_lock.ts";
import { CaptureFileError } from "../../capture/errors.ts";
import { newCaptureId } from "../../capture/capture_id.ts";
import { createLog } from "../../host/log.ts";
import type { CaptureUploader, UploadResult } from "../../upload/uploader.ts";
import type { OutcomeKind } from "../../upload/outcome.ts";
import { openCapture } from "../../spool/private_copy.ts";
import { createUploader } from "../agent_parts.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { eachFile } from "../each_file.ts";
import { readMetadata } from "../metadata.ts";
import { tellOutside } from "../timetable.ts";
import { openStore, type Store } from "../store.ts";

type Sent = Pick<
  UploadResult,
  | "success"
  | "captureId"
  | "error"
  | "attempts"
  | "outcome"
  | "sha256"
  | "status"
>;

/** What holds for every other file as well. */
const UNUSABLE: OutcomeKind[] = ["unavailable", "busy", "refused"];

/** What becomes of a file while a person has paused deliveries. */
const PAUSED: Sent = {
  success: false,
  captureId: null,
  error: "deliveries are paused",
  attempts: 0,
  sha256: null,
  status: null,
  outcome: "unavailable",
};

/** Sends files at once. What cannot be delivered now goes into the queue. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, given, out, stopSignal } = context;
  const signal = stopSignal();
  const metadata = await readMetadata(given);
  const log = createLog({ write: context.err });
  await using uploader = createUploader(settings, { maxRetries: 3, log });
  using store = await openStore(settings, { log });
  tellOutside(store.queue, context.err);
  let unusable: Sent | undefined = store.queue.getPause() ? PAUSED : undefined;
  return await eachFile(context, async (filepath) => {
    openCapture(filepath)[Symbol.dispose]();
    let id = newCaptureId();
    const request = { idempotencyKey: id, signal };
    const sent = unusable ?? await send(uploader, filepath, metadata, request);
    // To try it with each of a hundred files would take minutes.
    if (UNUSABLE.includes(sent.outcome)) {
      unusable = { ...sent, attempts: 0, sha256: null };
    }
    // Without an answer it was rejected because it changed while it was sent.
    const queued = !sent.success &&
      (sent.outcome !== "rejected" || sent.status === null);
    if (queued) {
      const { sha256 } = sent;
      id = await enqueue(store, { filepath, metadata, id, sha256 });
      nudgeAgent(store.queue.path);
    }
    const describe = given.has("json") ? forScript : forPerson;
    out(describe(filepath, id, sent, queued));
    if (sent.success) return ExitCode.ok;
    return queued ? ExitCode.temporary : ExitCode.failure;
  });
}

async function send(
  uploader: CaptureUploader,
  filepath: string,
  metadata: string,
  options: { idempotencyKey: string; signal: AbortSignal },
): Promise<Sent> {
  try {
    return await uploader.upload(filepath, metadata, options);
  } catch (error) {
    if (!options.signal.aborted) throw error;
    // Told to stop: what was under way is kept, and what comes after it.
    return { ...PAUSED, error: "interrupted", attempts: 1 };
  }
}

/**
 * Queues what could not be delivered, under the id that it was sent under if it
 * still has the bytes that may have been sent; else it is another capture.
 */
async function enqueue(
  { intake }: Store,
  { filepath, metadata, id, sha256 }: {
    filepath: string;
    metadata: string;
    id: string;
    sha256: string | null;
  },
): Promise<string> {
  if (sha256 === null) return await intake.add(filepath, metadata, { id });
  try {
    return await intake.add(filepath, metadata, { id, sha256 });
  } catch (error) {
    if (!(error instanceof CaptureFileError)) throw error;
    return await intake.add(filepath, metadata);
  }
}

function forScript(
  filepath: string,
  id: string,
  sent: Sent,
  queued: boolean,
): string {
  const { success, captureId, error, attempts } = sent;
  const shown = { id, filepath, queued, success, captureId, error, attempts };
  return JSON.stringify(shown);
}

function forPerson(
  filepath: string,
  id: string,
  { success, captureId, error }: Sent,
  queued: boolean,
): string {
  if (success) {
    return `${filepath}: delivered as ${captureId ?? "(no id given)"}`;
  }
  return queued
    ? `${filepath}: queued as ${id}, not delivered yet: ${error}`
    : `${filepath}: refused: ${error}`;
}
