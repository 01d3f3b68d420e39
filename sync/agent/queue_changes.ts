import { Wakeup } from "../host/wakeup.ts";
import { agentLockPath } from "./agent_lock.ts";
import type { AgentParts } from "./agent_options.ts";

/**
 * The time between two looks for changes by other processes, in milliseconds: waking
 * up is most of the cost of an idle agent.
 */
const LOOK_MS = 2_000;

/**
 * Notices changes of a queue by other processes, until the signal aborts: at once
 * where they say so (`nudgeAgent`), else within two seconds.
 *
 * @param options `onChange` is called once at the start, too.
 */
export async function watchQueue(
  { queue, spool, patience }: AgentParts,
  { onChange, signal }: { onChange: () => void; signal: AbortSignal },
): Promise<void> {
  const touches = touchesOf(agentLockPath(queue.path), signal);
  let seen: number | undefined;
  while (!signal.aborted) {
    patience.try(() => {
      const version = queue.dataVersion();
      spool?.assertReachable();
      patience.reached();
      if (version === seen) return;
      onChange();
      seen = version;
    });
    await touches.sleep(LOOK_MS);
  }
}

/** Wakes whenever somebody touches a file, and when the signal aborts. */
function touchesOf(path: string, signal: AbortSignal): Wakeup {
  const wakeup = new Wakeup();
  signal.addEventListener("abort", () => wakeup.wake(), { once: true });
  let watcher: Deno.FsWatcher;
  try {
    watcher = Deno.watchFs(path);
  } catch {
    // No watches left on this system: then every two seconds.
    return wakeup;
  }
  signal.addEventListener("abort", () => watcher.close(), { once: true });
  (async () => {
    for await (const _event of watcher) wakeup.wake();
  })().catch(() => {});
  return wakeup;
}
