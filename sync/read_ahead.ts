import { openCapture } from "./capture_file.ts";
import type { QueuedCapture } from "./queue.ts";

/**
 * So large a capture may be to be read ahead, in bytes: to open one takes longer
 * than to read it, and hundreds of them are a few MB.
 */
const MAX_BYTES = 16 * 1024;

/** A capture's bytes as they were when it was claimed. */
export interface CaptureContent {
  bytes: Uint8Array;
  /** The file's modification time, in milliseconds since 1970. */
  mtimeMs: number;
}

/** A capture to be sent, with its bytes if they were read ahead. */
export interface ClaimedCapture extends QueuedCapture {
  content?: CaptureContent;
}

/**
 * Reads the small ones of captures that are in the spool. One that cannot be
 * read as it should is left to whoever sends it.
 *
 * @returns The captures, and the memory in which all that was read lies.
 */
export function readAhead(
  captures: QueuedCapture[],
  spool: { pathOf(id: string): string },
): { claimed: ClaimedCapture[]; memory: ArrayBuffer } {
  const isSmall = ({ spooled, size }: QueuedCapture) =>
    spooled && size !== null && size >= 0 && size <= MAX_BYTES;
  const total = captures.filter(isSmall)
    .reduce((sum, { size }) => sum + size!, 0);
  const memory = new ArrayBuffer(total);
  let at = 0;
  const claimed = captures.map((capture) => {
    if (!isSmall(capture)) return capture;
    const bytes = new Uint8Array(memory, at, capture.size!);
    at += bytes.length;
    try {
      const mtimeMs = readWhole(spool.pathOf(capture.id), bytes);
      return { ...capture, content: { bytes, mtimeMs } };
    } catch {
      return capture;
    }
  });
  return { claimed, memory };
}

/** Fills `bytes` with a file and returns its modification time; throws unless it fits. */
function readWhole(path: string, bytes: Uint8Array): number {
  using capture = openCapture(path);
  if (capture.size !== bytes.length) throw new Error("It has another size");
  for (let at = 0; at < bytes.length;) {
    at += capture.readSync(bytes.subarray(at));
  }
  capture.assertUnchanged();
  return capture.mtimeMs;
}
