import type { Log } from "../../host/log.ts";
import { sha256Of } from "../../host/sha256.ts";
import type { KnownIdentity } from "../../queue/capture_row.ts";
import type { IsAt, QueuedCapture, UploadQueue } from "../../queue/queue.ts";
import { TidyUp } from "../../watch/after_upload.ts";
import { LateSidecars } from "../../watch/late_sidecars.ts";
import type { FolderState } from "../../watch/folder_state.ts";
import { isAt } from "../../watch/place.ts";
import { WatchedRoot } from "../../watch/watched_root.ts";
import { FolderWatcher } from "../../watch/watcher.ts";
import type { Settings } from "../settings/config.ts";
import type { Store } from "../store.ts";

/** A capture of a watched folder. */
type WatchedCapture = QueuedCapture & { identity: KnownIdentity };

/** The watcher of the folders, and what it has to be told of the queue's captures. */
export interface Watching {
  watcher: FolderWatcher;
  folderStates: () => FolderState[];
  onDelivered: (capture: WatchedCapture) => Promise<void>;
  /** A capture's file, of which there is no copy, is gone or another one. */
  onMissed: (capture: QueuedCapture) => void;
  /** A capture has left the queue: a file that was kept for it may go. */
  onReleased: () => void;
}

/** What the parts of a {@linkcode Watching} have in common. */
interface Context {
  roots: readonly WatchedRoot[];
  settings: Pick<Settings, "afterUpload">;
  queue: UploadQueue;
  log: Log;
}

/** Puts the watcher together with what becomes of its files after their delivery. */
export function createWatcher(
  settings: Settings,
  { queue, intake }: Store,
  { log, onQueued, onBack }: {
    log: Log;
    onQueued: () => void;
    onBack: () => void;
  },
): Watching {
  const { watch, settleMs, filter, ownPaths, copyUpToBytes } = settings;
  const roots = watch.map((path) => new WatchedRoot(path, log));
  const context = { roots, settings, queue, log };
  const late = createLateSidecars(context);
  // The callback runs only later, when there is a watcher.
  const tidyUp = createTidyUp(context, () => watcher);
  const isStillAt: IsAt = (path, fileId) => isAt(roots, path, fileId);
  const watcher: FolderWatcher = new FolderWatcher(roots, {
    ...filter,
    ownPaths,
    settleMs,
    log,
    // One that is kept is not read anew each time its disk is mounted.
    provesMounted: settings.afterUpload.kind !== "keep",
    known: (files) => queue.knownWatched(files, isStillAt),
    wasTaken: (file) => queue.wasTaken(file),
    knownContent: (file, sha256) => queue.knownContent(file, sha256, isStillAt),
    onSidecar: ({ path, identity }, sidecar) => {
      const [known] = queue.deliveriesOf({ path, identity });
      // Another name with a sidecar is taken over by itself.
      if (known?.path === path) late.found({ ...known, identity }, sidecar);
    },
    onLateSidecar: (file, sidecar) => late.missed(file, sidecar),
    isLateSidecar: (path, sidecar) => queue.isLateSidecar(path, sidecar),
    // The agent may have ended between the delivery and tidying up.
    onDelivered: async (seen) => {
      const { path, identity } = seen;
      for (const known of queue.deliveriesOf(seen)) {
        const isOtherName = path !== known.path;
        await tidyUp.tidy({ ...known, path, identity, isOtherName });
      }
    },
    onTurn: () => {
      late.turn();
      return tidyUp.retry();
    },
    onBack,
    onFinished: async (files) => {
      const left = await intake.addWatched(files, { copyUpToBytes });
      onQueued();
      return left;
    },
  });
  return {
    watcher,
    folderStates: () => {
      for (const { away } of roots) {
        for (const id of away.keys()) if (!waits(queue, id)) away.delete(id);
      }
      return watcher.folderStates()
        .map((one, n) => ({ ...one, ...tidyUp.remaining(roots[n]!) }));
    },
    onDelivered: async (capture) => {
      const { filepath: path, identity } = capture;
      const known = queue.deliveryOf(capture.id) ?? deliveredNow(capture);
      const file = { ...known, identity };
      late.delivered(file);
      await tidyUp.tidy(file);
      // It was renamed while it waited: its sidecar may have kept the name.
      if (path !== file.path) {
        await tidyUp.tidy({ ...file, path, isOtherName: true });
      }
    },
    onMissed: (capture) => {
      queue.findOtherName(capture, isStillAt);
      watcher.lookAgain(capture.filepath);
      watcher.lookAround(capture.filepath);
    },
    onReleased: () => tidyUp.released(),
  };
}

/** Whether a capture is still to be sent. */
function waits(queue: UploadQueue, id: string): boolean {
  return ["pending", "uploading"].includes(queue.get(id)?.status ?? "");
}

function createLateSidecars(
  { roots, settings: { afterUpload }, queue, log }: Context,
): LateSidecars {
  return new LateSidecars({
    roots,
    afterUpload,
    log,
    isKnown: (path, sidecar) => queue.isLateSidecar(path, sidecar),
    onSaid: (path, sidecar) => {
      try {
        queue.markLateSidecar(path, sidecar);
      } catch {
        // At worst it is logged again, or sent with the next file of its name.
      }
    },
  });
}

function createTidyUp(
  { roots, settings: { afterUpload }, queue, log }: Context,
  watcher: () => FolderWatcher,
): TidyUp {
  return new TidyUp(afterUpload, {
    roots,
    neededBy: (path, file) => queue.neededBy(path, file),
    hasChanged: (place) => watcher().mounts.hasChanged(place),
    log,
    onGone: ({ id, path }, options) => {
      try {
        queue.markRemoved(id, options);
      } catch (error) {
        // At worst the next file of its name and content is taken for this one.
        log("warn", `Cannot record that a file is gone: ${error}`);
      }
      // By the others it is found again, and tidied up.
      if (options.hasOtherNames) watcher().lookAround(path);
    },
  });
}

/** The delivery of a capture that the queue has no record of. */
function deliveredNow(capture: WatchedCapture) {
  const { id, filepath: path, identity, sha256, metadataJson } = capture;
  const metadataSha256 = sha256Of(metadataJson);
  const itself = { id, path, identity, sha256, metadataSha256 };
  return { ...itself, ...identity, sinceMs: Date.now() };
}
