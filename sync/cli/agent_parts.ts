import { SyncAgent } from "../agent.ts";
import { type AfterUpload, type SentFile, tidyUp } from "../after_upload.ts";
import type { Settings } from "../config.ts";
import { reached } from "../fault_point.ts";
import type { Log } from "../log.ts";
import { UsageError } from "../given.ts";
import { CaptureUploader } from "../uploader.ts";
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
  options: { onTurn?: () => void; onDelivered?: () => void } = {},
): SyncAgent {
  const { queue, spool } = store;
  const { watch, concurrency, graceMs, afterUpload } = settings;
  const tidy = tidyOneByOne(afterUpload, log);
  const { onTurn, onDelivered } = options;
  const agent: SyncAgent = new SyncAgent({
    ...(onTurn && { onTurn }),
    queue,
    uploader,
    log,
    concurrency,
    graceMs,
    refuseChanged: settings.changed === "refuse",
    pathOf: (capture) =>
      capture.spooled ? spool.pathOf(capture.id) : capture.filepath,
    onDelivered: async ({ id, filepath, spooled, watched }, { sent }) => {
      const gone = spooled ? spool.discard(id) : undefined;
      reached("spool-discarded");
      await gone;
      reached("spool-removed");
      if (watched && sent) tidy(filepath, sent);
      onDelivered?.();
    },
    ...(watch.length > 0 && {
      watcher: createWatcher(settings, store, {
        log,
        tidy,
        onQueued: () => agent.wake(),
      }),
    }),
  });
  return agent;
}

type Tidy = (path: string, sent: SentFile) => void;

function createWatcher(
  { watch, settleMs, afterUpload }: Settings,
  { queue, intake }: Store,
  { log, tidy, onQueued }: { log: Log; tidy: Tidy; onQueued: () => void },
): FolderWatcher {
  return new FolderWatcher(watch, {
    settleMs,
    log,
    isKnown: (path, size, mtimeMs) => {
      const known = queue.knowsWatched(path, size, mtimeMs);
      // The agent may have ended between the delivery and tidying up.
      if (known === "delivered") tidy(path, { size, mtimeMs });
      return known !== undefined;
    },
    onFinished: async (files) => {
      await intake.addWatched(files, { copy: afterUpload.kind !== "keep" });
      onQueued();
    },
  });
}

/** Tidies up behind deliveries, one at a time: moving a file may mean copying it. */
function tidyOneByOne(policy: AfterUpload, log: Log): Tidy {
  let last = Promise.resolve();
  return (path, sent) => {
    if (policy.kind === "keep") return;
    last = last.then(() => tidyUp(path, sent, policy)).catch((error) => {
      log(
        "warn",
        `Cannot ${policy.kind} "${path}", which is delivered: ${error.message}`,
      );
    });
  };
}
