/**
 * Measures the product's library: queue, spool and ledger with all their
 * promises. Hands captures over, then times how long the agent delivers them.
 *
 * @module
 */
import { CaptureUploader, SyncAgent } from "../../../sync/mod.ts";
import { memoryOf } from "../../process_memory.ts";
import { readInput } from "../programs.ts";
import { Store } from "./store.ts";

/** The captures to deliver, and how. */
export interface DrainInput {
  server: string;
  dataDir: string;
  paths: string[];
  /** How many of the paths are sent first, to warm up. */
  warmUp: number;
  concurrency: number;
}

/** The figures of one delivery. */
export interface Drained {
  ms: number;
  /** The most memory that was held above that of an idle agent. */
  grownBytes: number;
}

/** Forgets the most that this process held so far; known on Linux alone. */
function resetPeak(): void {
  if (Deno.build.os !== "linux") return;
  Deno.writeTextFileSync("/proc/self/clear_refs", "5");
}

/** The most that it held since, in bytes; elsewhere the present amount. */
function peakBytes(): number {
  if (Deno.build.os !== "linux") return Deno.memoryUsage().rss;
  return memoryOf("self", "VmHWM");
}

async function drain(input: DrainInput): Promise<Drained> {
  const { server, dataDir, paths, warmUp, concurrency } = input;
  using store = new Store(dataDir);
  const { queue, spool } = store;
  await using uploader = new CaptureUploader(server, { maxRetries: 1 });
  const agent = new SyncAgent({ queue, uploader, concurrency, spool });
  await store.enqueue(paths.slice(0, warmUp));
  await agent.runOnce();
  await store.enqueue(paths.slice(warmUp));
  const idleBytes = Deno.memoryUsage().rss;
  resetPeak();
  const start = performance.now();
  const { delivered } = await agent.runOnce();
  const ms = performance.now() - start;
  if (delivered !== paths.length - warmUp) {
    throw new Error(`The agent delivered ${delivered} of ${paths.length}`);
  }
  return { ms, grownBytes: peakBytes() - idleBytes };
}

if (import.meta.main) {
  console.log(JSON.stringify(await drain(await readInput())));
}
