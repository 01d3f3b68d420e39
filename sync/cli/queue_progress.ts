import { delay } from "@std/async/delay";
import type { UploadQueue } from "../queue/queue.ts";
import type { Talk } from "./talk.ts";

/** How often the queue is looked at, in milliseconds. */
const LOOK_MS = 200;

/**
 * Shows until the signal aborts how a queue is being delivered, by whichever process:
 * a line for each capture where there is no terminal.
 *
 * @param options `onPause` is called while a person has paused deliveries.
 */
export async function showQueue(
  queue: UploadQueue,
  { progress, isQuiet, err }: Talk,
  { signal, onPause }: { signal: AbortSignal; onPause: () => void },
): Promise<void> {
  const tellNew = isQuiet || progress.isShown
    ? () => {}
    : deliveryTeller(queue, err);
  const look = () => {
    const { pending, uploading } = queue.getStats();
    const bytes = queue.waitingBytes();
    progress.left({ captures: pending + uploading, bytes });
    tellNew();
  };
  while (!signal.aborted) {
    if (queue.getPause()) onPause();
    look();
    await delay(LOOK_MS, { signal }).catch(() => {});
  }
  look();
  progress.end();
}

/** Returns what tells of each delivery since it was last called. */
function deliveryTeller(
  queue: UploadQueue,
  err: (line: string) => void,
): () => void {
  let [last] = queue.deliveries().take(1);
  return () => {
    const found = [];
    for (
      const entry of queue.deliveries(last && Date.parse(last.deliveredAt))
    ) {
      if (entry.id === last?.id) break;
      found.push(entry);
    }
    last = found[0] ?? last;
    for (const { filepath, serverId } of found.reverse()) {
      err(deliveredText(filepath, serverId));
    }
  };
}

/** Says that a file was delivered. */
export function deliveredText(filepath: string, id: string | null): string {
  return `${filepath}: delivered as ${id ?? "(no id given)"}`;
}
