import { delay } from "@std/async/delay";
import type { Log } from "../host/log.ts";
import { parseMetadata } from "../capture/metadata.ts";
import type { NewCapture, QueuedCapture, UploadQueue } from "../queue/queue.ts";
import {
  type Spool,
  type SpooledFile,
  type SpoolRecord,
  statCapture,
} from "./spool.ts";

/** What was found and done. */
export interface Reconciled {
  /** Spool entries that were taken up again, for want of a row. */
  requeued: number;
  /** Spool entries of captures that are delivered, removed. */
  delivered: number;
  /** Spool entries that belong to no capture, set aside. */
  orphaned: number;
  /** Captures without their copy that got a new one, for the original is still there. */
  restored: number;
  /** Captures whose copy and original are gone: they are `failed` now. */
  lost: number;
}

/** Options for {@linkcode reconcileSpool}. */
export interface ReconcileOptions {
  /** Is told what was found, and what could not be done. */
  log: Log;
  /** Ends it early; the rest is for the next time. */
  signal?: AbortSignal;
  /** The wall clock, in milliseconds since 1970. @default {Date.now} */
  now?: () => number;
}

/** An entry that is younger may still be in the making, by an `enqueue` under way. */
const SETTLED_AFTER_MS = 600_000;

/**
 * Brings queue and spool into line after a crash. Nothing is deleted that may be
 * an only copy, and nothing that cannot be done to one entry holds up the others.
 * Only for the one agent; it may deliver at the same time.
 */
export async function reconcileSpool(
  queue: UploadQueue,
  spool: Spool,
  options: ReconcileOptions,
): Promise<Reconciled> {
  const { log, signal, now = Date.now } = options;
  const found = { ...NOTHING };
  const tryFor = async (id: string, act: () => Found | Promise<Found>) => {
    try {
      found[await act()]++;
    } catch (error) {
      log("error", `Cannot bring "${id}" in the spool into line: ${error}`);
    }
  };
  spool.adoptOldLayout();
  for await (const records of spool.records()) {
    if (signal?.aborted) return found;
    for (const record of records) {
      await tryFor(record.id, () => takeUp(record, queue, spool));
    }
  }
  for (const ids of spool.ids()) {
    for (const id of ids) {
      await tryFor(id, () => tidy(id, queue, spool, now()));
    }
    // Deliveries go on in between.
    await delay(0);
    if (signal?.aborted) return found;
  }
  for (const captures of queue.spooled()) {
    for (const capture of captures) {
      await tryFor(capture.id, () => restore(capture, queue, spool));
    }
    await delay(0);
    if (signal?.aborted) return found;
  }
  await spool.compactRecords();
  report(found, log);
  return found;
}

type Found = keyof typeof NOTHING;

const NOTHING = {
  requeued: 0,
  delivered: 0,
  orphaned: 0,
  restored: 0,
  lost: 0,
  sound: 0,
};

/** Queues the capture of a record again whose entry has no row. */
function takeUp(
  record: SpoolRecord,
  queue: UploadQueue,
  spool: Spool,
): Found {
  const { id } = record;
  if (!spool.canHold(id) || !spool.has(id)) return "sound";
  if (queue.get(id) || queue.wasDelivered(id)) return "sound";
  const capture = captureOf(record);
  if (capture) {
    queue.enqueueMany([capture]);
    return "requeued";
  }
  spool.setAside(id, record);
  return "orphaned";
}

/** Brings an entry into line that has no row, and no record either. */
function tidy(
  id: string,
  queue: UploadQueue,
  spool: Spool,
  nowMs: number,
): Found {
  if (queue.get(id)) return "sound";
  if (queue.wasDelivered(id)) {
    spool.remove(id);
    return "delivered";
  }
  // A clock that was set back makes nothing young.
  const ageMs = Math.abs(nowMs - spool.changedMs(id));
  if (ageMs <= SETTLED_AFTER_MS) return "sound";
  spool.setAside(id);
  return "orphaned";
}

function captureOf(record: SpoolRecord): NewCapture | undefined {
  const { metadataJson, ...rest } = record;
  try {
    return { ...rest, metadata: parseMetadata(metadataJson), spooled: true };
  } catch {
    // Not as it was written: a person must look at it.
    return undefined;
  }
}

/** Brings a row into line whose entry has lost its bytes. */
async function restore(
  { id, filepath, size, mtimeMs }: QueuedCapture,
  queue: UploadQueue,
  spool: Spool,
): Promise<Found> {
  if (spool.has(id) || !spool.canHold(id)) return "sound";
  // Read behind that: a delivery removes the row before the bytes.
  const capture = queue.get(id);
  if (!capture || capture.status === "uploading") return "sound";
  const original = lookAt(filepath);
  if (original?.size === size && original.mtimeMs === mtimeMs) {
    await spool.addFile(id, filepath);
    // A person may have removed the capture meanwhile.
    if (!queue.get(id)) {
      spool.remove(id);
      return "sound";
    }
    const { metadataJson, createdAt, watched } = capture;
    const createdAtMs = Date.parse(createdAt);
    const record = { id, filepath, metadataJson, createdAtMs, watched };
    spool.commit([{ ...record, ...original }]);
    return "restored";
  }
  if (capture.status === "failed") return "sound";
  const error =
    `Cannot read "${spool.pathOf(id)}": the spool's copy is gone, ` +
    "and the original is gone or another one";
  queue.settle([{ id, kind: "rejected", error }]);
  return "lost";
}

function lookAt(path: string): SpooledFile | undefined {
  try {
    return statCapture(path);
  } catch {
    return undefined;
  }
}

function report(found: Reconciled, log: Log): void {
  const say = (count: number, what: string) => {
    if (count > 0) log("warn", `${count} ${what}`);
  };
  say(found.requeued, "captures in the spool had no row: taken up again");
  say(
    found.orphaned,
    'unfinished files in the spool belong to no capture: moved to its folder "orphans"',
  );
  say(found.restored, "captures had no copy in the spool: copied again");
  say(found.lost, "captures had no copy in the spool any more: failed");
}
