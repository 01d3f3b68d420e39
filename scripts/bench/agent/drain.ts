/**
 * Measures the product: queue, spool and ledger with all their promises, in one
 * process. Hands captures over, then times how long the agent takes to deliver them.
 *
 * @module
 */
import { join } from "@std/path";
import process from "node:process";
import { SyncAgent } from "../../../sync/agent/agent.ts";
import { Intake } from "../../../sync/spool/intake.ts";
import { UploadQueue } from "../../../sync/mod.ts";
import { Spool } from "../../../sync/spool/spool.ts";
import { CaptureUploader } from "../../../sync/upload/uploader.ts";
import { readInput } from "../children.ts";
import { peakBytes, resetPeak, residentBytes } from "../memory.ts";

interface Input {
  server: string;
  dataDir: string;
  paths: string[];
  /** How many of the paths are sent first, to warm up. */
  warmUp: number;
  concurrency: number;
}

/** What {@linkcode Input} led to. */
export interface Drained {
  ms: number;
  delivered: number;
  /** How long processors worked for this process, the system's part included. */
  cpuMs: number;
  /** What the process held when it had nothing to do, and the most while it sent. */
  idleBytes: number;
  peakBytes: number;
}

async function drain(input: Input): Promise<Drained> {
  const { dataDir, paths, warmUp, concurrency } = input;
  using queue = new UploadQueue(join(dataDir, "queue.db"));
  const spool = new Spool(join(dataDir, "spool"));
  const intake = new Intake(queue, spool, { minFreeBytes: 0 });
  await using uploader = new CaptureUploader(input.server, { maxRetries: 1 });
  const agent = new SyncAgent({
    queue,
    uploader,
    concurrency,
    log: (level, message) => {
      if (level === "warn" || level === "error") console.error(message);
    },
    spool,
  });
  for (const path of paths.slice(0, warmUp)) {
    await intake.add(path, '{"door":3}');
  }
  await agent.runOnce();
  for (const path of paths.slice(warmUp)) await intake.add(path, '{"door":3}');
  const idleBytes = residentBytes();
  resetPeak();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const { delivered } = await agent.runOnce();
  const ms = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  return {
    ms,
    cpuMs: (user + system) / 1000,
    delivered,
    idleBytes,
    peakBytes: peakBytes(),
  };
}

if (import.meta.main) {
  const input = await readInput<Input>();
  console.log(JSON.stringify(await drain(input)));
}
