import { OnceLog } from "../host/log.ts";
import { Candidates } from "../watch/candidates.ts";
import { CaptureFilter } from "../watch/capture_filter.ts";
import { FolderTree } from "../watch/folder_tree.ts";
import { Stability } from "../watch/stability.ts";
import { WatchedRoot } from "../watch/watched_root.ts";
import type { SkipReason } from "../watch/watcher_options.ts";
import { UsageError } from "./arguments.ts";
import { type CommandContext, ExitCode } from "./command.ts";
import { lookInto } from "./store.ts";
import { isAt } from "../watch/place.ts";

/**
 * Lists the files that `run` would take from the watched folders, and the reasons to
 * leave the rest: looks through them as it does at first. Changes nothing.
 */
export async function dryRun(
  { settings, out }: CommandContext,
): Promise<number> {
  if (settings.watch.length === 0) {
    throw new UsageError(
      "Cannot tell what would be taken, no folder is watched: expected --watch DIR",
    );
  }
  using look = lookInto(settings);
  const queue = look?.queue;
  const roots = settings.watch.map((path) =>
    new WatchedRoot(path, (_, reason) => out(`later  ${reason}`))
  );
  const isStillAt = (path: string, fileId: string) => isAt(roots, path, fileId);
  const counts = { take: 0, later: 0, pass: 0 };
  const onSkipped = (path: string, { kind, reason }: SkipReason) => {
    counts[kind]++;
    out(`${kind.padEnd(5)}  ${path}: ${reason}`);
  };
  const { ownPaths } = settings;
  const filter = new CaptureFilter({ ...settings.filter, ownPaths });
  // Its messages are given for each file instead.
  const log = new OnceLog(() => {});
  const tree = new FolderTree({ filter, log, onSkipped });
  using stability = new Stability();
  const candidates = new Candidates({
    filter,
    stability,
    log,
    settleMs: settings.settleMs,
    known: (files) =>
      queue?.knownWatched(files, isStillAt) ?? files.map(() => undefined),
    knownContent: (file, sha256) =>
      queue?.knownContent(file, sha256, isStillAt),
    isLateSidecar: (path, sidecar) =>
      queue?.isLateSidecar(path, sidecar) ?? false,
    onFinished: (files) => {
      counts.take += files.length;
      files.forEach(({ path }) => out(`take   ${path}`));
      return Promise.resolve([]);
    },
    onSkipped,
  });
  for (const { place } of roots) {
    for (const found of tree.walk(place)) await candidates.consider(found);
    await candidates.flush();
  }
  const { take, later, pass } = counts;
  out(`${take} would be taken now, ${later} later, ${pass} not`);
  return ExitCode.ok;
}
