/**
 * Watches a folder until it is killed: `watch_child.ts FOLDER OPTIONS`, with the
 * watcher's options as JSON. Writes `+NAME` for each file that it takes, `ready`
 * when it has looked through the folder once, and its log on standard error.
 */
import type { Log } from "../../sync/host/log.ts";
import { WatchedRoot } from "../../sync/watch/watched_root.ts";
import { FolderWatcher } from "../../sync/watch/watcher.ts";

const [folder = "", json = "{}"] = Deno.args;
const { allKnown, ...options } = JSON.parse(json);
const known = new Set<string>();
const versionOf = ({ fileId, size, mtimeMs }: Record<string, unknown>) =>
  `${fileId} ${size} ${mtimeMs}`;

const log: Log = (level, message) => console.error(`${level} ${message}`);

await new FolderWatcher([new WatchedRoot(folder, log)], {
  settleMs: 50,
  known: (files) =>
    files.map(({ identity }) =>
      allKnown || known.has(versionOf({ ...identity })) ? "queued" : undefined
    ),
  knownContent: () => undefined,
  // deno-lint-ignore require-await -- an error is to be a rejection
  onFinished: async (files) => {
    for (const { path, identity } of files) {
      known.add(versionOf({ ...identity }));
      console.log(`+${path.slice(folder.length + 1)}`);
    }
    return [];
  },
  log,
  ...options,
}).run(new AbortController().signal, () => console.log("ready"));
