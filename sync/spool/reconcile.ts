import { delay } from "@std/async/delay";
import { counted } from "../host/counted.ts";
import { CaptureFileError, CaptureReadError } from "../capture/errors.ts";
import { checkMetadata } from "../capture/metadata.ts";
import type { Log } from "../host/log.ts";
import { tryTo } from "../host/try_to.ts";
import type { QueuedCapture, UploadQueue } from "../queue/queue.ts";
import { hasFault } from "../queue/sqlite.ts";
import { openByPath, opened, type OpenOriginal } from "./private_copy.ts";
import type { Spool, SpoolRecord } from "./spool.ts";

/** The number of entries and captures in each case. */
const NOTHING = {
  /** Spool entries that were taken up again, for want of a row. */
  requeued: 0,
  /** Spool entries of captures that are delivered, removed. */
  delivered: 0,
  /** Spool entries that belong to no capture, moved to the orphans. */
  orphaned: 0,
  /** Captures without their copy that got a new one, for the original is still there. */
  restored: 0,
  /** Captures whose copy and original are gone: they are `failed` now. */
  lost: 0,
  /** Spool entries that may be in the making; the next time they are not. */
  young: 0,
  sound: 0,
};

type Reconciled = typeof NOTHING;
type Case = keyof Reconciled;

export interface ReconcileOptions {
  log: Log;
  /**
   * Whether the last agent ended in order. Then queue and spool are gone through
   * only if another process was killed while it worked in the spool.
   *
   * @default {false}
   */
  endedInOrder?: boolean;
  /**
   * Opens the file that a capture was, for a copy that is gone.
   *
   * @default {by its path; where it is a watched file, a link is not followed}
   */
  openOriginal?: OpenOriginal;
  /** Ends it early; the rest is for the next time. */
  signal?: AbortSignal;
  /** The wall clock, in milliseconds since 1970. @default {Date.now} */
  now?: () => number;
}

/**
 * Brings queue and spool into line after a crash. Nothing is deleted that may be
 * an only copy, and nothing that cannot be done to one entry holds up the others.
 * Only for the one agent; it may deliver at the same time.
 *
 * @throws {DatabaseError} if the queue turns out to be damaged.
 */
export async function reconcileSpool(
  queue: UploadQueue,
  spool: Spool,
  options: ReconcileOptions,
): Promise<Reconciled> {
  const { log, endedInOrder = false, signal, now = Date.now } = options;
  const { openOriginal = openByPath } = options;
  const found = { ...NOTHING };
  spool.occupants.enter();
  if (!await spool.occupants.forgetKilled() && endedInOrder) return found;
  const tryFor = async (id: string, act: () => Case | Promise<Case>) => {
    try {
      found[await act()]++;
    } catch (error) {
      // It is so for all of them, and repaired first.
      if (hasFault(error, "damaged")) throw error;
      log("error", `Cannot bring "${id}" in the spool into line: ${error}`);
    }
  };
  for await (const step of stepsOf(queue, spool, { now, openOriginal })) {
    for (const { id, act } of step) await tryFor(id, act);
    // Deliveries go on in between.
    await delay(0);
    if (!signal?.aborted) continue;
    spool.occupants.leaveUnfinished();
    return found;
  }
  if (found.young > 0) spool.occupants.leaveUnfinished();
  await spool.compactRecords();
  report(found, log);
  return found;
}

/** The work on one entry. */
interface Step {
  id: string;
  act: () => Case | Promise<Case>;
}

async function* stepsOf(
  queue: UploadQueue,
  spool: Spool,
  { now, openOriginal }: Required<
    Pick<ReconcileOptions, "now" | "openOriginal">
  >,
): AsyncGenerator<Step[]> {
  for await (const records of spool.records()) {
    yield records.map((record) => ({
      id: record.id,
      act: () => takeUp(record, queue, spool),
    }));
  }
  for (const ids of spool.ids({ nowMs: now() })) {
    yield ids.map((id) => ({ id, act: () => tidy(id, queue, spool, now()) }));
  }
  for (const captures of queue.spooled()) {
    yield captures.map((capture) => ({
      id: capture.id,
      act: () => restore(capture, { queue, spool, openOriginal }),
    }));
  }
}

/** Queues the capture of a record again whose entry has no row. */
function takeUp(
  record: SpoolRecord,
  queue: UploadQueue,
  spool: Spool,
): Case {
  const { id, identity } = record;
  if (!spool.canHold(id)) return "sound";
  const size = spool.sizeOf(id);
  const isKnown = queue.get(id) || queue.wasDelivered(id);
  if (size === undefined || isKnown) return "sound";
  if (size === identity.size && isUsable(record)) {
    queue.enqueueMany([{ ...record, spooled: true }]);
    return "requeued";
  }
  spool.moveToOrphans(id, record);
  return "orphaned";
}

/** One that was changed since is left to a person. */
function isUsable({ metadataJson }: SpoolRecord): boolean {
  return tryTo(() => checkMetadata(metadataJson)) !== undefined;
}

/** Brings an entry into line that has no row, and no record either. */
function tidy(
  id: string,
  queue: UploadQueue,
  spool: Spool,
  nowMs: number,
): Case {
  if (queue.get(id)) return "sound";
  if (queue.wasDelivered(id)) {
    spool.remove([id]);
    return "delivered";
  }
  if (spool.isInTheMaking(id, nowMs)) return "young";
  spool.moveToOrphans(id);
  return "orphaned";
}

/** Brings a row into line whose entry has lost its bytes, or some of them. */
async function restore(
  { id, size }: QueuedCapture,
  { queue, spool, openOriginal }: {
    queue: UploadQueue;
    spool: Spool;
    openOriginal: OpenOriginal;
  },
): Promise<Case> {
  if (!spool.canHold(id)) return "sound";
  const left = spool.sizeOf(id);
  if (left !== undefined && (size === null || left === size)) return "sound";
  // Asked for again, because a delivery removes the row before the bytes.
  const capture = queue.get(id);
  if (!capture || capture.status === "uploading") return "sound";
  if (left !== undefined) spool.moveToOrphans(id);
  const record = await copyAgain(capture, spool, openOriginal);
  if (record) {
    if (queue.get(id)) {
      spool.commit([record]);
      return "restored";
    }
    // A person has removed the capture meanwhile.
    spool.remove([id]);
    return "sound";
  }
  // One that cannot be read now may be sent later.
  if (record === null || capture.status === "failed") return "sound";
  const error = `Cannot read "${spool.pathOf(id)}": the spool's copy is ${
    left === undefined ? "gone" : "not whole"
  }, and the original is gone or another one`;
  queue.complete([{ id, kind: "discard", error }]);
  return "lost";
}

/**
 * Copies the original once more, if it still has the bytes that were handed over;
 * `null` if a watched one cannot be read now.
 */
async function copyAgain(
  capture: QueuedCapture,
  spool: Spool,
  openOriginal: OpenOriginal,
): Promise<SpoolRecord | undefined | null> {
  const { id, filepath, metadataJson, createdAt, watched, sha256 } = capture;
  if (sha256 === null) return undefined;
  try {
    using file = opened(filepath, () => openOriginal(capture));
    const { identity } = file;
    if (identity.size !== capture.size) return undefined;
    await spool.addFile(id, file, { sha256 });
    const createdAtMs = Date.parse(createdAt);
    const record = { id, filepath, metadataJson, createdAtMs, watched };
    const { hostname, mtimeMs } = capture;
    return {
      ...record,
      hostname: hostname ?? undefined,
      sha256,
      // The file may have been touched since.
      identity: { ...identity, mtimeMs: mtimeMs ?? identity.mtimeMs },
    };
  } catch (error) {
    if (error instanceof CaptureFileError) return undefined;
    if (error instanceof CaptureReadError) return watched ? null : undefined;
    throw error;
  }
}

function report(found: Reconciled, log: Log): void {
  const say = (count: number, noun: string, text: string) => {
    if (count > 0) log("warn", `${counted(count, noun)} ${text}`);
  };
  const { requeued, orphaned, restored, lost } = found;
  say(requeued, "capture", "in the spool, but not in the queue: queued");
  say(
    orphaned,
    "file",
    'in the spool without a capture: moved to its folder "orphans"',
  );
  say(restored, "capture", "without a copy in the spool: copied again");
  say(lost, "capture", "without a copy in the spool: failed");
}
