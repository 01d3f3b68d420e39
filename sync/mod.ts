/**
 * What a program may import to deliver captures by itself.
 *
 * @example
 * ```ts
 * import { CaptureUploader, SyncAgent, UploadQueue } from "./sync/mod.ts";
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
 * @module
 */

import "./native_sqlite.ts";

export { AgentRunningError } from "./agent_lock.ts";
export { SyncAgent } from "./agent.ts";
export type { SyncAgentOptions } from "./agent.ts";
export type { PassReport } from "./judge.ts";
export { Intake, NoRoomError } from "./intake.ts";
export type { AddOptions, IntakeOptions } from "./intake.ts";
export { createLog } from "./log.ts";
export type { Log, LogLevel, LogOptions } from "./log.ts";
export type { Metadata } from "./metadata.ts";
export { CaptureFileError } from "./outcome.ts";
export type { OutcomeKind } from "./outcome.ts";
export { UploadQueue } from "./queue.ts";
export type {
  CaptureStatus,
  EnqueueOptions,
  NewCapture,
  QueuedCapture,
  QueueStats,
  UploadQueueOptions,
} from "./queue.ts";
export { Spool } from "./spool.ts";
export { CaptureUploader } from "./uploader.ts";
export type {
  CaptureUploaderOptions,
  UploadOptions,
  UploadResult,
} from "./uploader.ts";
export { FolderWatcher } from "./watcher.ts";
export type { FolderWatcherOptions } from "./watcher.ts";
