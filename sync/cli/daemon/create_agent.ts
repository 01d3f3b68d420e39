import { SyncAgent } from "../../agent/agent.ts";
import type { SyncAgentOptions } from "../../agent/agent_options.ts";
import { reached } from "../../host/fault_point.ts";
import type { Log } from "../../host/log.ts";
import type { QueuedCapture } from "../../queue/queue.ts";
import type { CaptureUploader } from "../../upload/uploader.ts";
import { openersIn } from "../../watch/openers.ts";
import { cleaner } from "./cleaning.ts";
import type { Settings } from "../settings/config.ts";
import { FolderReports } from "./folder_reports.ts";
import { originalsOf } from "./originals.ts";
import type { Store } from "../store.ts";
import { createWatcher } from "./create_watcher.ts";

/** The parts of an agent that exist before it. */
export interface AgentInputs {
  settings: Settings;
  store: Store;
  uploader: CaptureUploader;
  log: Log;
}

export interface CreateAgentOptions
  extends Pick<SyncAgentOptions, "lock" | "onTurn" | "onAttempt"> {
  /** Is called after each delivery. */
  onDelivered?: () => void;
  /** Whether it looks through the watched folders. @default {true} */
  watches?: boolean;
}

/** Puts the agent together from its parts. */
export function createAgent(
  { settings, store, uploader, log }: AgentInputs,
  options: CreateAgentOptions = {},
): SyncAgent {
  const { queue, spool } = store;
  const { watch, concurrency, graceMs, schedule } = settings;
  const { onTurn, onDelivered, watches = true, ...rest } = options;
  const watching = createWatcher(settings, store, {
    log,
    onQueued: () => agent.wake(),
    // Captures that wait for their files have no other way to know.
    onBack: () => agent.hurry(),
  });
  const { watcher } = watching;
  const clean = cleaner(settings, store, log);
  const folders = new FolderReports(watching.folderStates, { queue, log });
  // While a file is sent from where it is, its content does not tell whether it was
  // written over.
  const lookAgain = ({ filepath, watched, spooled }: QueuedCapture) => {
    if (watched && !spooled) watcher.lookAgain(filepath);
  };
  const agent: SyncAgent = new SyncAgent({
    ...rest,
    onTurn: () => {
      onTurn?.();
      if (watches) folders.turn();
      clean();
    },
    queue,
    uploader,
    log,
    concurrency,
    graceMs,
    schedule: schedule ?? undefined,
    spool,
    ...watches ? openersIn(watcher.roots) : originalsOf(queue),
    onDelivered: async (capture) => {
      const { watched, spooled, identity } = capture;
      reached("spool-removed");
      onDelivered?.();
      if (watched && identity) {
        await watching.onDelivered({ ...capture, identity });
      }
      if (!spooled) watching.onReleased();
      lookAgain(capture);
    },
    onMissed: (capture) => {
      const mayBeFound = capture.watched && !capture.spooled;
      if (mayBeFound) watching.onMissed(capture);
      return mayBeFound;
    },
    onFailed: lookAgain,
    ...(watches && watch.length > 0 && {
      watcher: {
        scan: () => watcher.scan(),
        run: (signal, onReady) =>
          watcher.run(signal, () => {
            folders.ready();
            onReady?.();
          }),
      },
    }),
  });
  return agent;
}
