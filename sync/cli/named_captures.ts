import { resolve } from "@std/path";
import type { QueuedCapture, UploadQueue } from "../queue/queue.ts";
import { type Matches, MAX_FOUND, MIN_START } from "../queue/queue_records.ts";
import { alignedLines } from "./table.ts";

/**
 * Finds captures by a name that a person gives: the id, its beginning, or the file
 * that was handed over.
 */
export function findNamed(queue: UploadQueue, name: string): Matches {
  const ways = [
    () => queue.findById(name),
    () => queue.findById(name.toLowerCase()),
    () => queue.findByPath(resolve(name)),
  ];
  let found: Matches = { queued: [], delivered: [] };
  for (const way of ways) {
    found = way();
    if (found.queued.length + found.delivered.length > 0) break;
  }
  return found;
}

/**
 * Returns the captures in the queue that the names stand for, each once, and tells
 * the errors in the others.
 *
 * @param verb The action on them, for the message.
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
    if (!capture && delivered.length > 0) {
      err(`jarvis-agent: Cannot ${verb} "${name}": it is delivered already`);
    } else explainName(name, { queued, delivered: [] }, { verb, err });
  }
  return { captures: [...captures.values()], isComplete };
}

/** Explains why a name does not stand for one capture, with those that it may stand for. */
export function explainName(
  name: string,
  { queued, delivered }: Matches,
  { verb, err }: { verb: string; err: (line: string) => void },
): void {
  const lines = alignedLines([
    ...queued.map(({ id, status, filepath }) => [id, status, filepath]),
    ...delivered.map(({ id, filepath }) => [id, "delivered", filepath]),
  ]);
  err(
    `jarvis-agent: Cannot ${verb} "${name}": ${reasonFor(name, lines.length)}`,
  );
  lines.forEach((line) => err(`  ${line}`));
}

function reasonFor(name: string, count: number): string {
  if (count > 0) {
    const more = count >= MAX_FOUND ? " or more" : "";
    return `${count}${more} captures match, expected more of the id`;
  }
  const what = name.length < MIN_START
    ? "too short for the beginning of an id, and no file of this name was handed over"
    : "no such capture";
  return `${what}: expected an id, its first ${MIN_START} characters or more, or the path of a file; "jarvis-agent list" shows them`;
}
