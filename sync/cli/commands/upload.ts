import { nudgeAgent } from "../../agent/agent_lock.ts";
import {
  type FailedAttempt,
  isOfAll,
  snoozeMs,
  snoozeOrRelease,
} from "../../agent/snooze.ts";
import { BusyAnswers } from "../../agent/busy_answers.ts";
import { CaptureFileError } from "../../capture/errors.ts";
import { newCaptureId } from "../../capture/capture_id.ts";
import type { HostFacts } from "../../capture/metadata.ts";
import { tryTo } from "../../host/try_to.ts";
import type {
  CaptureUploader,
  UploadOptions,
  UploadResult,
} from "../../upload/uploader.ts";
import type { Completion } from "../../queue/queue.ts";
import { openSource } from "../../spool/private_copy.ts";
import { problemOf } from "../../upload/readiness.ts";
import { createUploader } from "../daemon/create_uploader.ts";
import { type CommandContext, ExitCode } from "../command.ts";
import { afterDoing, eachFile } from "../each_file.ts";
import { readMetadata } from "../metadata.ts";
import { deliveredText, type Progress, type Talk, talkOf } from "../talk.ts";
import { tellOutside } from "../settings/timetable.ts";
import { openStore, type Store } from "../store.ts";

type FileResult =
  & FailedAttempt
  & Pick<UploadResult, "success" | "captureId" | "attempts">
  /** Whether a person held it up: that says nothing of capture and server. */
  & { isHeldUp?: boolean };

/** A file that was sent, or would have been. */
interface TriedFile {
  filepath: string;
  /** As JSON text. */
  metadata: string;
  id: string;
  sent: FileResult;
  /** What the server was told of it; `undefined` if nothing was sent. */
  facts: HostFacts | undefined;
}

/** The result for a file while a person has paused deliveries. */
const PAUSED: FileResult = {
  success: false,
  captureId: null,
  error: "deliveries are paused",
  attempts: 0,
  sha256: null,
  status: null,
  elapsedMs: 0,
  retryAfterMs: null,
  outcome: "unavailable",
  isHeldUp: true,
};

/** The time between two drawings of the progress, in milliseconds. */
const DRAW_MS = 200;

/** Sends files at once. Those that cannot be delivered now go into the queue. */
export async function run(context: CommandContext): Promise<number> {
  const { settings, given, args } = context;
  const talk = talkOf(context);
  const { log, err, progress } = talk;
  const signal = context.stopSignal({ hangup: true });
  const metadata = await readMetadata(given);
  const onSent = (bytes: number) => progress.inFlight += bytes;
  const options = { maxRetries: 3, log, onSent };
  await using uploader = createUploader(settings, options);
  using store = await openStore(settings, { log });
  if (!talk.isQuiet) tellOutside(store.queue, err);
  let unusable: FileResult | undefined = store.queue.getPause()
    ? PAUSED
    : undefined;
  const busyAnswers = new BusyAnswers();
  const sizes = args.map(sizeOf);
  using _shown = shown(progress, sizes);
  return await eachFile({ ...context, err }, async (filepath) => {
    using _size = { [Symbol.dispose]: () => void sizes.shift() };
    openSource(filepath)[Symbol.dispose]();
    const id = newCaptureId();
    let facts: HostFacts | undefined;
    const request = {
      idempotencyKey: id,
      signal,
      onContent: (told: HostFacts) => facts = told,
    };
    const sent = unusable ?? await send(uploader, filepath, metadata, request);
    // To try it with each of a hundred files would take minutes.
    if (!unusable && meansAll(sent, { id, busyAnswers })) {
      const error =
        `not tried, as one before it was not delivered: ${sent.error}`;
      unusable = { ...sent, error, attempts: 0 };
    }
    const tried = { filepath, metadata, id, sent, facts };
    return await conclude(tried, { store, talk });
  });
}

/** Shows until it is disposed of how much of the files whose sizes these are is left. */
function shown(progress: Progress, sizes: number[]): Disposable {
  const draw = () => {
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    progress.left({ captures: sizes.length, bytes });
  };
  draw();
  const drawing = setInterval(draw, DRAW_MS);
  return {
    [Symbol.dispose]() {
      clearInterval(drawing);
      draw();
      progress.end();
    },
  };
}

function sizeOf(path: string): number {
  // Errors in it are told when it is its turn.
  return tryTo(() => Deno.statSync(path))?.size ?? 0;
}

/** Whether the result of one file means that no other would be taken now either. */
function meansAll(
  sent: FileResult,
  { id, busyAnswers }: { id: string; busyAnswers: BusyAnswers },
): boolean {
  const capture = { id, snoozes: 0 };
  if (sent.success) busyAnswers.taken(capture);
  if (sent.outcome !== "busy") return isOfAll(sent);
  busyAnswers.add(capture, true);
  return busyAnswers.meanAll();
}

async function send(
  uploader: CaptureUploader,
  filepath: string,
  metadata: string,
  options: UploadOptions & { signal: AbortSignal },
): Promise<FileResult> {
  try {
    const sent = await uploader.upload(filepath, metadata, options);
    if (sent.outcome !== "rejected" || sent.status === null) return sent;
    // A proxy that lets nobody in answers everything like this; others may pass.
    const problem = problemOf(await uploader.probe(options));
    return problem === null ? sent : { ...sent, outcome: "deferred" };
  } catch (error) {
    if (!options.signal.aborted) throw error;
    // Told to stop: the file under way is kept, and those after it.
    return { ...PAUSED, error: "interrupted", attempts: 1 };
  }
}

/**
 * Queues a file that could not be delivered, under the id that it was sent under if
 * it still has the bytes that may have been sent; else it is another capture.
 */
async function enqueue(
  { intake }: Store,
  { filepath, metadata, id, sent, facts }: TriedFile,
): Promise<string> {
  const tried = completionAfter(id, sent);
  try {
    return await intake.add(filepath, metadata, { id, tried, sent: facts });
  } catch (error) {
    if (!facts || !(error instanceof CaptureFileError)) throw error;
    return await intake.add(filepath, metadata);
  }
}

/** Returns the completion of the attempt, as the agent would record it; `undefined` if there was none. */
function completionAfter(id: string, sent: FileResult): Completion | undefined {
  const { error, attempts } = sent;
  if (error === null || attempts === 0 || sent.isHeldUp) return undefined;
  const delayMs = isOfAll(sent) ? sent.retryAfterMs ?? 0 : snoozeMs(sent);
  return snoozeOrRelease(id, { error, result: sent, delayMs });
}

/** Queues a file that was not delivered, and tells its result; returns its exit code. */
async function conclude(
  file: TriedFile,
  { store, talk }: { store: Store; talk: Talk },
): Promise<number> {
  let { id } = file;
  const { filepath, sent } = file;
  const { success, captureId, error, attempts } = sent;
  // Without an answer it was rejected because it changed while it was sent.
  const queued = !success &&
    (sent.outcome !== "rejected" || sent.status === null);
  if (queued) {
    id = await enqueue(store, file);
    nudgeAgent(store.queue.path);
  }
  const done = success
    ? deliveredText(filepath, captureId)
    : queued
    ? `${filepath}: queued as ${id}, not delivered yet: ${error}`
    : `${filepath}: rejected: ${error}`;
  afterDoing(done, () => {
    if (!talk.isJson) return talk.say(done, success);
    const shown = { id, filepath, queued, success, captureId, error, attempts };
    talk.out(JSON.stringify(shown));
  });
  if (success) return ExitCode.ok;
  return queued ? ExitCode.temporary : ExitCode.failure;
}
