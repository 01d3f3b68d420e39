import { SyncAgent } from "../agent.ts";
import { tidyUp } from "../after_upload.ts";
import type { Settings } from "../config.ts";
import type { Log } from "../log.ts";
import { UsageError } from "../options.ts";
import { CaptureUploader, type UploadResult } from "../uploader.ts";
import { FolderWatcher } from "../watcher.ts";
import type { Store } from "./store.ts";

/**
 * Returns the uploader that the settings ask for.
 *
 * @throws {UsageError} if they name no server.
 */
export function createUploader(
  settings: Settings,
  options: { maxRetries: number },
): CaptureUploader {
  if (settings.server === null) {
    throw new UsageError(
      "Cannot tell where to send captures: expected --server URL or JARVIS_SERVER_URL",
    );
  }
  return new CaptureUploader(settings.server, {
    ...options,
    timeout: settings.timeoutMs,
    token: () => settings.token.get(),
    allowInsecure: settings.allowInsecure,
  });
}

/** Puts the agent together from its parts. */
export function createAgent(
  settings: Settings,
  store: Store,
  uploader: CaptureUploader,
  log: Log,
): SyncAgent {
  const { queue, spool } = store;
  const { watch, concurrency, graceMs } = settings;
  const agent: SyncAgent = new SyncAgent({
    queue,
    uploader,
    log,
    concurrency,
    graceMs,
    refuseChanged: settings.changed === "refuse",
    pathOf: (capture) =>
      capture.spooled ? spool.pathOf(capture.id) : capture.filepath,
    onDelivered: (capture, { sent }) => {
      if (capture.spooled) spool.remove(capture.id);
      if (capture.watched && sent) tidy(capture.filepath, sent, settings, log);
    },
    ...(watch.length > 0 &&
      { watcher: createWatcher(settings, store, log, () => agent.wake()) }),
  });
  return agent;
}

function createWatcher(
  settings: Settings,
  { queue, intake }: Store,
  log: Log,
  onQueued: () => void,
): FolderWatcher {
  const { watch, settleMs, afterUpload } = settings;
  return new FolderWatcher(watch, {
    settleMs,
    log,
    isKnown: (path, size, mtimeMs) => {
      const known = queue.knowsWatched(path, size, mtimeMs);
      // The agent may have ended between the delivery and tidying up.
      if (known === "delivered") tidy(path, { size, mtimeMs }, settings, log);
      return known !== undefined;
    },
    onFinished: async (files) => {
      await intake.addWatched(files, { copy: afterUpload.kind !== "keep" });
      onQueued();
    },
  });
}

function tidy(
  path: string,
  sent: NonNullable<UploadResult["sent"]>,
  settings: Settings,
  log: Log,
): void {
  try {
    tidyUp(path, sent, settings.afterUpload);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log("warn", `Cannot tidy up "${path}", which is delivered: ${reason}`);
  }
}
