import { SyncAgent, type SyncAgentOptions } from "../agent/agent.ts";
import { isServerUrl, type Settings } from "./config.ts";
import { join, SEPARATOR } from "@std/path";
import { counted } from "../host/counted.ts";
import { isAbsence } from "../host/files.ts";
import { openFolder } from "../host/folder.ts";
import { reached } from "../host/fault_point.ts";
import type { Log } from "../host/log.ts";
import { UnreachableError } from "../host/reach.ts";
import { UsageError } from "./arguments.ts";
import type { QueuedCapture } from "../queue/queue.ts";
import { reconcileSpool } from "../spool/reconcile.ts";
import { CaptureUploader, type Readiness } from "../upload/uploader.ts";
import { openerIn, openNothing } from "../watch/watched_root.ts";
import { FolderReports } from "./folder_reports.ts";
import { originals } from "./originals.ts";
import type { Store } from "./store.ts";
import type { TokenSource } from "./token.ts";
import { createWatcher } from "./watching.ts";

/** How often old history and dead records are looked for, in milliseconds. */
const CLEAN_EVERY_MS = 60_000;

/**
 * Returns the uploader that the settings ask for.
 *
 * @param options `log` is told what the settings give up; `onSent` as for the uploader.
 * @throws {UsageError} if they name no server.
 */
export function createUploader(
  settings: Omit<Settings, "token"> & {
    token: Pick<TokenSource, "get" | "renew">;
  },
  options: { maxRetries: number; log?: Log; onSent?: (bytes: number) => void },
): CaptureUploader {
  const { server, token, tls, proof, allowInsecure, timeoutMs } = settings;
  if (server === null) {
    throw new UsageError(
      "Cannot tell where to send captures: expected --server URL or JARVIS_SERVER_URL",
    );
  }
  if (allowInsecure && !isServerUrl(server)) {
    options.log?.(
      "warn",
      `Captures and token go to ${server} in plain http://, readable by everybody on the way (--allow-insecure)`,
    );
  }
  if (proof === "status") {
    options.log?.(
      "warn",
      "Whatever answers 2xx is taken for the capture server, a captive portal too: what that got is lost (--proof status)",
    );
  }
  return new CaptureUploader(server, {
    maxRetries: options.maxRetries,
    timeout: timeoutMs,
    ...(options.onSent && { onSent: options.onSent }),
    bandwidth: () => settings.bandwidth.at(Date.now()),
    token: () => token.get(),
    renewToken: (refused) => token.renew(refused),
    tls,
    proof,
    allowInsecure,
  });
}

/** Says whether a server can be used, and if not, why. */
export function describeReadiness(url: string, readiness: Readiness): string {
  return readiness.ready
    ? `${url} is ready`
    : `${url} is not ready: ${readiness.reason}`;
}

/**
 * Puts the agent together from its parts.
 *
 * @param options `watches` is whether it looks through the watched folders.
 */
export function createAgent(
  settings: Settings,
  store: Store,
  uploader: CaptureUploader,
  log: Log,
  options: Pick<SyncAgentOptions, "lock" | "onTurn" | "onAttempt"> & {
    onDelivered?: () => void;
    watches?: boolean;
  } = {},
): SyncAgent {
  const { queue, spool } = store;
  const { watch, concurrency, graceMs, schedule } = settings;
  const { onTurn, onDelivered, watches = true, ...rest } = options;
  const watching = createWatcher(settings, store, {
    log,
    onQueued: () => agent.wake(),
    // What waits for its file has no other way to know.
    onBack: () => agent.hurry(),
  });
  const { watcher, delivered, released } = watching;
  const clean = cleaner(settings, store, log);
  const folders = new FolderReports(watching.standing, { queue, log });
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
    openOriginal: watches ? openerIn(watcher.roots) : originals(queue),
    openWatched: watches
      ? openerIn(watcher.roots, openNothing)
      : originals(queue, openNothing),
    onDelivered: async (capture) => {
      const { filepath: path, watched, spooled, identity } = capture;
      reached("spool-removed");
      onDelivered?.();
      if (watched && identity) await delivered({ path, identity });
      if (!watched && !spooled) released();
      lookAgain(capture);
    },
    onMissed: (capture) => {
      lookAgain(capture);
      return capture.watched && !capture.spooled;
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

/** Returns what keeps the spool's records and the history from growing for ever. */
function cleaner(
  { watch, keepHistoryMs }: Settings,
  { queue, spool }: Store,
  log: Log,
): () => void {
  let notBefore = 0;
  const failed = (error: Error) => {
    // The agent waits for it, and says so.
    if (error instanceof UnreachableError) return;
    log("warn", `Cannot clean up: ${error.message}`);
  };
  return () => {
    if (performance.now() < notBefore) return;
    notBefore = performance.now() + CLEAN_EVERY_MS;
    spool.compactRecords().catch(failed);
    // Files of a folder that is not mounted are not gone.
    const away = watch.filter(isEmpty).map((root) => join(root, SEPARATOR));
    const isThere = (path: string) =>
      !isGone(path) || away.some((root) => path.startsWith(root));
    try {
      queue.pruneHistory(keepHistoryMs, isThere);
      const lost = queue.forgetOverwritten();
      if (lost === 0) return;
      const what = `${counted(lost, "capture")} that failed a day ago`;
      log("warn", `${what}, as their files were overwritten: forgotten`);
    } catch (error) {
      failed(error as Error);
    }
  };
}

/** Whether nothing is at a path for sure: what is forgotten would be sent again. */
function isGone(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return false;
  } catch (error) {
    return isAbsence(error);
  }
}

function isEmpty(path: string): boolean {
  try {
    using folder = openFolder(path);
    for (const entries of folder.list()) if (entries.length > 0) return false;
    return true;
  } catch {
    return true;
  }
}

/** Brings queue and spool into line; what goes wrong is told, and holds up nothing. */
export async function reconcile(
  { queue, spool }: Store,
  options: { log: Log; signal: AbortSignal },
): Promise<void> {
  const { pid, serverUrl } = queue.getAgentState();
  // Without a server no agent was ever here: the queue may have been made in the
  // place of a damaged one.
  const endedInOrder = pid === null && serverUrl !== null;
  try {
    const openOriginal = originals(queue);
    await reconcileSpool(queue, spool, {
      ...options,
      endedInOrder,
      openOriginal,
    });
  } catch (error) {
    options.log(
      "error",
      `Cannot look through the spool: ${(error as Error).message}`,
    );
  }
}
