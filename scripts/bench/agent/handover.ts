/**
 * Hands captures over one by one, as another process than the agent, and tells
 * how long each took until the server saw it.
 *
 * @module
 */
import { delay } from "@std/async/delay";
import { join } from "@std/path";
import { nudgeAgent } from "../../../sync/agent/agent_lock.ts";
import { Intake } from "../../../sync/spool/intake.ts";
import { UploadQueue } from "../../../sync/mod.ts";
import { Spool } from "../../../sync/spool/spool.ts";
import { readInput } from "../children.ts";
import type { Received } from "../receiver.ts";

interface Input {
  dataDir: string;
  server: string;
  path: string;
  count: number;
}

const LOOK_MS = 20;
/** The agent must be idle again, and not in step with this. */
const PAUSE_MS = 300;

async function handOver(
  { queue, intake }: { queue: UploadQueue; intake: Intake },
  input: Input,
): Promise<number> {
  await intake.add(input.path, '{"door":3}');
  const doneMs = performance.timeOrigin + performance.now();
  nudgeAgent(queue.path);
  while (true) {
    const response = await fetch(`${input.server}/control`);
    const { captures, lastStartedMs }: Received = await response.json();
    if (captures > 0) return Math.max(lastStartedMs - doneMs, 0);
    await delay(LOOK_MS);
  }
}

if (import.meta.main) {
  const input = await readInput<Input>();
  using queue = new UploadQueue(join(input.dataDir, "queue.db"));
  const spool = new Spool(join(input.dataDir, "spool"));
  const intake = new Intake(queue, spool, { minFreeBytes: 0 });
  const waits: number[] = [];
  for (let i = 0; i < input.count; i++) {
    await delay(PAUSE_MS + Math.random() * 1000);
    waits.push(await handOver({ queue, intake }, input));
  }
  console.log(JSON.stringify(waits));
}
