/**
 * What a program may import to deliver captures by itself.
 *
 * @example Deliver files that stay where they are
 * ```ts
 * import { CaptureUploader, SyncAgent, UploadQueue } from "./mod.ts";
 *
 * using queue = new UploadQueue("queue.db");
 * queue.enqueue("/captures/door.png", { door: 3 });
 * await using uploader = new CaptureUploader("http://127.0.0.1:8000", {
 *   maxRetries: 1,
 * });
 * const agent = new SyncAgent({ queue, uploader });
 * console.log(await agent.runOnce());
 * ```
 *
 * @example Keep a copy of what is handed over, whatever becomes of the file
 * ```ts
 * import { Intake, Spool, UploadQueue } from "./mod.ts";
 *
 * using queue = new UploadQueue("data/queue.db");
 * using spool = new Spool("data/spool");
 * const intake = new Intake(queue, spool);
 * await Deno.writeTextFile("door.png", "a picture");
 * const id = await intake.add("door.png", '{"door": 3}');
 * // It is on the disk. An agent with this queue and this spool delivers it.
 * console.log(id, queue.getStats());
 * ```
 *
 * @module
 */

export { acquireAgentLock, AgentRunningError } from "./agent/agent_lock.ts";
export { SyncAgent } from "./agent/agent.ts";
export type { PassReport, SyncAgentOptions } from "./agent/agent_options.ts";
export { Intake } from "./spool/intake.ts";
export { NoRoomError } from "./spool/room.ts";
export type { AddOptions, IntakeOptions } from "./spool/intake.ts";
export { createLog } from "./host/log.ts";
export type { Log, LogLevel, LogOptions } from "./host/log.ts";
export type { HostFacts, Metadata } from "./capture/metadata.ts";
export { CaptureFileError, CaptureReadError } from "./capture/errors.ts";
export type { OutcomeKind } from "./upload/outcome.ts";
export { UploadQueue } from "./queue/queue.ts";
export type {
  CaptureStatus,
  EnqueueOptions,
  NewCapture,
  QueuedCapture,
  QueueStats,
  UploadQueueOptions,
} from "./queue/queue.ts";
export { Spool } from "./spool/spool.ts";
export { CaptureUploader } from "./upload/uploader.ts";
export type {
  CaptureUploaderOptions,
  UploadOptions,
  UploadResult,
} from "./upload/uploader.ts";
