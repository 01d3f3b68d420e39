import { metadataHash } from "../capture/metadata_hash.ts";
import type { Log } from "../host/log.ts";
import type { FileIdentity } from "../host/opened_file.ts";
import type { KnownIdentity } from "../queue/capture_row.ts";
import type { IsAt, QueuedCapture, SeenFile } from "../queue/queue.ts";
import { TidyUp } from "../watch/after_upload.ts";
import { LateSidecars } from "../watch/late_sidecars.ts";
import type { FolderState } from "../watch/folder_state.ts";
import { isAt } from "../watch/place.ts";
import { FolderWatcher } from "../watch/watcher.ts";
import type { Settings } from "./config.ts";
import type { Store } from "./store.ts";

/** A capture of a watched folder. */
type WatchedCapture = QueuedCapture & { identity: KnownIdentity };

/** Returns the watcher of the folders, and a function that tidies up a delivered file of theirs. */
export function createWatcher(
  { watch, settleMs, filter, ownPaths, copyUpToBytes, afterUpload }: Settings,
  { queue, intake }: Store,
  { log, onQueued, onBack }: {
    log: Log;
    onQueued: () => void;
    onBack: () => void;
  },
): {
  watcher: FolderWatcher;
  folderStates: () => FolderState[];
  delivered: (capture: WatchedCapture) => Promise<void>;
  /** To be called when a capture's file, of which there is no copy, is gone or another one. */
  missed: (capture: QueuedCapture) => void;
  /** To be called when a capture has gone whose file may have been needed. */
  released: () => void;
} {
  const isStillAt: IsAt = (path, fileId) => isAt(watcher.roots, path, fileId);
  const deliveredFile = ({ path, identity }: SeenFile) => {
    const known = queue.deliveredFile({ path, identity });
    return known && { ...known, identity };
  };
  const isLateSidecar = (path: string, sidecar: FileIdentity) =>
    queue.isLateSidecar(path, sidecar);
  const watcher: FolderWatcher = new FolderWatcher(watch, {
    ...filter,
    ownPaths,
    settleMs,
    log,
    known: (files) => queue.knownWatched(files, isStillAt),
    wasTaken: (file) => queue.wasTaken(file),
    knownContent: (file, sha256) => queue.knownContent(file, sha256, isStillAt),
    onSidecar: (seen, sidecar) => {
      const file = deliveredFile(seen);
      // Another name with a sidecar is taken over by itself.
      if (file?.path === seen.path) late.found(file, sidecar);
    },
    onLateSidecar: (file, sidecar) => late.missed(file, sidecar),
    isLateSidecar,
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
  const tidyUp = new TidyUp(afterUpload, {
    roots: watcher.roots,
    neededBy: (path, file) => queue.neededBy(path, file),
    log,
    onGone: ({ id, path }, options) => {
      try {
        queue.markRemoved(id, options);
      } catch (error) {
        // It may be taken for the next file of its name and content, no more.
        log("warn", `Cannot record that a file is gone: ${error}`);
      }
      if (options.hasOtherNames) watcher.lookAround(path);
    },
  });
  const late = new LateSidecars({
    roots: watcher.roots,
    afterUpload,
    log,
    isKnown: isLateSidecar,
    onSaid: (path, sidecar) => {
      try {
        queue.markLateSidecar(path, sidecar);
      } catch {
        // It may be said again, and go with the next of its name.
      }
    },
  });
  const delivered = async (capture: WatchedCapture) => {
    const { id, filepath: path, identity, sha256 } = capture;
    const metadataSha256 = metadataHash(capture.metadataJson);
    const itself = { id, path, identity, sha256, metadataSha256 };
    const known = queue.deliveryOf(id) ??
      { ...itself, ...identity, sinceMs: Date.now() };
    const file = { ...known, identity };
    late.delivered(file);
    await tidyUp.tidy(file);
    // It was renamed while it waited: its sidecar may have kept the name.
    if (path !== file.path) {
      await tidyUp.tidy({ ...file, path, isOtherName: true });
    }
  };
  const missed = (capture: QueuedCapture) => {
    queue.findOtherName(capture, isStillAt);
    watcher.lookAgain(capture.filepath);
    watcher.lookAround(capture.filepath);
  };
  const folderStates = () =>
    watcher.folderStates().map((one, n) => ({
      ...one,
      ...tidyUp.remaining(watcher.roots[n]!),
    }));
  return {
    watcher,
    folderStates,
    delivered,
    missed,
    released: () => tidyUp.released(),
  };
}
