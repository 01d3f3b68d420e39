import { delay } from "@std/async/delay";
import type { Log } from "./log.ts";
import { parseMetadata } from "./metadata.ts";
import type { UploadQueue } from "./queue.ts";
import type { Spool } from "./spool.ts";

/** What was found and done. */
export interface Reconciled {
  /** Spool entries that were taken up again, for want of a row. */
  requeued: number;
  /** Spool entries of captures that are delivered, removed. */
  delivered: number;
  /** Spool entries that belong to no capture, set aside. */
  orphaned: number;
}

/** An entry that is younger may still be in the making, by an `enqueue` under way. */
const SETTLED_AFTER_MS = 600_000;

/**
 * Brings queue and spool into line after a crash. Nothing is deleted that may be
 * an only copy. Only for the one agent; it may deliver at the same time.
 */
export async function reconcileSpool(
  queue: UploadQueue,
  spool: Spool,
  options: { log: Log; signal?: AbortSignal },
): Promise<Reconciled> {
  const found = { requeued: 0, delivered: 0, orphaned: 0 };
  for (const ids of spool.ids()) {
    for (const id of ids) {
      if (!queue.get(id)) reconcile(id, queue, spool, found);
    }
    // Deliveries go on in between.
    await delay(0);
    if (options.signal?.aborted) break;
  }
  report(found, options.log);
  return found;
}

function reconcile(
  id: string,
  queue: UploadQueue,
  spool: Spool,
  found: Reconciled,
): void {
  const record = spool.record(id);
  if (queue.wasDelivered(id)) {
    spool.remove(id);
    found.delivered++;
  } else if (record && spool.has(id)) {
    const metadata = parseMetadata(record.metadataJson);
    queue.enqueueMany([{ ...record, metadata, spooled: true }]);
    found.requeued++;
  } else if (spool.ageMs(id) > SETTLED_AFTER_MS) {
    spool.setAside(id);
    found.orphaned++;
  }
}

function report(found: Reconciled, log: Log): void {
  if (found.requeued > 0) {
    log(
      "warn",
      `${found.requeued} captures in the spool had no row: taken up again`,
    );
  }
  if (found.orphaned > 0) {
    log(
      "warn",
      `${found.orphaned} unfinished files in the spool belong to no capture: moved to its folder "orphans"`,
    );
  }
}
