/**
 * Fills a queue, or measures the work on it.
 *
 * @module
 */
import { UploadQueue } from "../../../sync/mod.ts";
import { readInput } from "../programs.ts";
import { median } from "../rounds.ts";

/** The queue to fill or to measure. */
export interface BacklogInput {
  path: string;
  /** How many captures to put in, a tenth of them waiting for a retry; 0 to measure. */
  fill: number;
}

/** The time of each kind of work, in milliseconds, and the memory of the process. */
export type Costs = Record<
  "start" | "claim" | "complete" | "status" | "residentBytes",
  number
>;

const BATCH = 10_000;
const CLAIM = 8;
const TURNS = 50;

function enqueue(queue: UploadQueue, count: number): void {
  for (let i = 0; i < count; i += BATCH) {
    queue.enqueueMany(
      Array.from({ length: Math.min(BATCH, count - i) }, (_, j) => ({
        filepath: `/captures/2025/capture-${i + j}.png`,
        metadataJson: '{"door":3}',
        identity: { size: 2048, mtimeMs: 1_700_000_000_000 + i + j },
      })),
    );
  }
}

function fill(queue: UploadQueue, count: number): void {
  enqueue(queue, count);
  // The oldest are not due: a claim has to get past them.
  const waits = {
    kind: "snooze",
    error: "HTTP 500",
    delayMs: 3_600_000,
  } as const;
  for (let left = count / 10; left > 0;) {
    const claimed = queue.claim(Math.min(left, BATCH));
    queue.complete(claimed.map(({ id }) => ({ id, ...waits })));
    left -= claimed.length;
  }
}

function measure(queue: UploadQueue): Omit<Costs, "start"> {
  const timesOf = {
    claim: [] as number[],
    complete: [] as number[],
    status: [] as number[],
  };
  const timed = <T>(times: number[], body: () => T): T => {
    const start = performance.now();
    const result = body();
    times.push(performance.now() - start);
    return result;
  };
  const delivered = { kind: "delivered", captureId: "1" } as const;
  for (let turn = 0; turn < TURNS; turn++) {
    const claimed = timed(timesOf.claim, () => queue.claim(CLAIM));
    const outcomes = claimed.map(({ id }) => ({ id, ...delivered }));
    timed(timesOf.complete, () => queue.complete(outcomes));
    timed(timesOf.status, () => queue.getStats());
  }
  // Else nothing would be left for the next round.
  enqueue(queue, TURNS * CLAIM);
  return {
    claim: median(timesOf.claim),
    complete: median(timesOf.complete),
    status: median(timesOf.status),
    residentBytes: Deno.memoryUsage().rss,
  };
}

if (import.meta.main) {
  const input = await readInput<BacklogInput>();
  const begin = performance.now();
  using queue = new UploadQueue(input.path);
  queue.recover();
  const start = performance.now() - begin;
  if (input.fill > 0) fill(queue, input.fill);
  else console.log(JSON.stringify({ start, ...measure(queue) }));
}
