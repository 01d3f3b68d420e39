/**
 * Fills a queue, or measures what work on it costs.
 *
 * @module
 */
import { UploadQueue } from "../../../sync/mod.ts";
import { readInput } from "../programs.ts";
import { median } from "../rounds.ts";

/** What is to be done with a queue. */
export interface BacklogInput {
  path: string;
  /** How many captures to put in, a tenth of them waiting for a retry; 0 to measure. */
  fill: number;
}

/** What the work costs, in milliseconds each, and the memory that it takes. */
export interface Costs {
  start: number;
  claim: number;
  complete: number;
  status: number;
  residentBytes: number;
}

const BATCH = 10_000;
const CLAIM = 8;
const TURNS = 50;

function fill(queue: UploadQueue, count: number): void {
  enqueue(queue, count);
  // The oldest wait: whoever looks for what is due must get past them.
  for (let left = count / 10; left > 0;) {
    const claimed = queue.claim(Math.min(left, BATCH));
    queue.complete(claimed.map(({ id }) => ({
      id,
      kind: "snooze",
      error: "HTTP 500",
      delayMs: 3_600_000,
    })));
    left -= claimed.length;
  }
}

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

function measure(path: string): Costs {
  const times = { claim: [], complete: [], status: [] } as Record<
    "claim" | "complete" | "status",
    number[]
  >;
  const timed = <T>(name: keyof typeof times, body: () => T): T => {
    const start = performance.now();
    const result = body();
    times[name].push(performance.now() - start);
    return result;
  };
  const begin = performance.now();
  using queue = new UploadQueue(path);
  queue.recover();
  const start = performance.now() - begin;
  for (let turn = 0; turn < TURNS; turn++) {
    const claimed = timed("claim", () => queue.claim(CLAIM));
    timed("complete", () =>
      queue.complete(
        claimed.map(({ id }) => ({ id, kind: "delivered", captureId: "1" })),
      ));
    timed("status", () => queue.getStats());
  }
  // Else nothing would be left for the next round.
  enqueue(queue, TURNS * CLAIM);
  return {
    start,
    claim: median(times.claim),
    complete: median(times.complete),
    status: median(times.status),
    residentBytes: Deno.memoryUsage().rss,
  };
}

if (import.meta.main) {
  const input = await readInput<BacklogInput>();
  if (input.fill > 0) {
    using queue = new UploadQueue(input.path);
    fill(queue, input.fill);
  }
  console.log(JSON.stringify(input.fill > 0 ? {} : measure(input.path)));
}
