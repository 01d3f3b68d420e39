import { join, SEPARATOR } from "@std/path";
import { counted } from "../../host/counted.ts";
import { isAbsent } from "../../host/files.ts";
import { openFolder } from "../../host/folder.ts";
import type { Log } from "../../host/log.ts";
import { UnreachableError } from "../../host/reach.ts";
import { tryTo } from "../../host/try_to.ts";
import type { Settings } from "../settings/config.ts";
import type { Store } from "../store.ts";

/** The time between two cleanings of old history and dead records, in milliseconds. */
const CLEAN_EVERY_MS = 60_000;

/**
 * Returns a function, to be called at every turn, that keeps the spool's records and
 * the history from growing for ever.
 */
export function cleaner(
  { watch, keepHistoryMs }: Settings,
  { queue, spool }: Store,
  log: Log,
): () => void {
  let notBefore = 0;
  const failed = (error: Error) => {
    // The agent logs that the disk is away; do not log it twice.
    if (error instanceof UnreachableError) return;
    log("warn", `Cannot clean up: ${error.message}`);
  };
  return () => {
    if (performance.now() < notBefore) return;
    notBefore = performance.now() + CLEAN_EVERY_MS;
    spool.compactRecords().catch(failed);
    // What is forgotten would be sent again: files of a folder that is not mounted stay.
    const away = watch.filter(isEmpty).map((root) => join(root, SEPARATOR));
    const isThere = (path: string) =>
      !isAbsent(path) || away.some((root) => path.startsWith(root));
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

function isEmpty(path: string): boolean {
  return tryTo(() => {
    using folder = openFolder(path);
    return folder.list().every((entries) => entries.length === 0);
  }) ?? true;
}
