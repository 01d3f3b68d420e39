import { resolve } from "@std/path";
import type { Found, QueuedCapture, UploadQueue } from "../queue/queue.ts";
import { alignedLines } from "./table.ts";

/** What a person names a capture by: its id, the beginning of it, or the file that was handed over. */
export function findNamed(queue: UploadQueue, name: string): Found {
  const ways = [
    () => queue.findById(name),
    () => queue.findById(name.toLowerCase()),
    () => queue.findByPath(resolve(name)),
  ];
  let found: Found = { queued: [], delivered: [] };
  for (const way of ways) {
    found = way();
    if (found.queued.length + found.delivered.length > 0) break;
  }
  return found;
}

/**
 * Returns the captures in the queue that the names stand for, each once, and says
 * what is wrong with the others.
 *
 * @param verb What is to be done with them, for the message.
 */
export function queuedByName(
  queue: UploadQueue,
  names: string[],
  { verb, err }: { verb: string; err: (line: string) => void },
): { captures: QueuedCapture[]; isComplete: boolean } {
  const captures = new Map<string, QueuedCapture>();
  let isComplete = true;
  for (const name of names) {
    const { queued, delivered } = findNamed(queue, name);
    const [capture] = queued;
    if (capture && queued.length === 1) {
      captures.set(capture.id, capture);
      continue;
    }
    isComplete = false;
    const reason = capture
      ? ambiguity(queued.length)
      : delivered.length > 0
      ? "it is delivered already"
      : "no such capture is in the queue, expected an id, the first characters of one, or the path of a file";
    err(`jarvis-agent: Cannot ${verb} "${name}": ${reason}`);
    if (capture) candidates({ queued, delivered: [] }).forEach(err);
  }
  return { captures: [...captures.values()], isComplete };
}

/** Says that a name stands for several captures. */
export function ambiguity(count: number): string {
  return `${count} captures match, expected more of the id`;
}

/** A line for each capture that a name may stand for. */
export function candidates({ queued, delivered }: Found): string[] {
  return alignedLines([
    ...queued.map(({ id, status, filepath }) => [id, status, filepath]),
    ...delivered.map(({ id, filepath }) => [id, "delivered", filepath]),
  ]).map((line) => `  ${line}`);
}
