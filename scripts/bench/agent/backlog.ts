/**
 * Fills a queue, or measures what its work costs with what is in it.
 *
 * @module
 */
import { join } from "@std/path";
import { UploadQueue } from "../../../sync/mod.ts";
import { readInput } from "../children.ts";
import { residentBytes } from "../memory.ts";
import { median } from "../rounds.ts";

interface Input {
  dataDir: string;
  /** How many captures to put in, a tenth of them waiting for a retry; 0 to measure. */
  fill: number;
}

/** What the work costs, in milliseconds each, and the memory behind it. */
export interface Costs {
  startMs: number;
  claimMs: number;
  settleMs: number;
  statusMs: number;
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
    queue.settle(claimed.map(({ id }) => ({
      id,
      kind: "deferred",
      error: "HTTP 500",
      delayMs: 3_600_000,
    })));
    left -= claimed.length;
  }
}

function enqueue(queue: UploadQueue, count: number): void {
  for (let i = 0; i < count; i += BATCH) {
    const rows = Array.from({ length: Math.min(BATCH, count - i) }, (_, j) => ({
      filepath: `/captures/2025/capture-${i + j}.png`,
      metadata: { door: 3 },
      size: 2048,
      mtimeMs: 1_700_000_000_000 + i + j,
    }));
    queue.enqueueMany(rows);
  }
}

function measure(path: string): Costs {
  const costs = { claim: [], settle: [], status: [] } as Record<
    "claim" | "settle" | "status",
    number[]
  >;
  const timed = <T>(name: keyof typeof costs, body: () => T): T => {
    const start = performance.now();
    const result = body();
    costs[name].push(performance.now() - start);
    return result;
  };
  const start = performance.now();
  using queue = new UploadQueue(path);
  queue.recover();
  queue.nextDueMs();
  const startMs = performance.now() - start;
  for (let turn = 0; turn < TURNS; turn++) {
    const claimed = timed("claim", () => queue.claim(CLAIM));
    timed("settle", () =>
      queue.settle(claimed.map(({ id }) => ({
        id,
        kind: "delivered",
        captureId: "1",
      }))));
    timed("status", () => {
      queue.getStats();
      queue.oldestPendingMs();
      queue.getAgentState();
      queue.spooledBytes();
    });
  }
  // Else nothing would be left for the next round.
  enqueue(queue, TURNS * CLAIM);
  return {
    startMs,
    claimMs: median(costs.claim),
    settleMs: median(costs.settle),
    statusMs: median(costs.status),
    residentBytes: residentBytes(),
  };
}

if (import.meta.main) {
  const input = await readInput<Input>();
  const path = join(input.dataDir, "queue.db");
  if (input.fill > 0) {
    using queue = new UploadQueue(path);
    fill(queue, input.fill);
    console.log(JSON.stringify(queue.getStats()));
  } else {
    console.log(JSON.stringify(measure(path)));
  }
}
