import type { QueuedCapture } from "../queue/queue.ts";

/**
 * So large a capture may be to be read ahead, and so much is read at one time, in
 * bytes. To send one of 100 KiB takes a tenth longer if its file has to be read
 * first; of larger ones the copies that `fetch` makes take most of the time.
 */
const MAX_BYTES = 128 * 1024;
const MAX_TOTAL_BYTES = 1024 * 1024;

/** A capture to be sent, with its bytes if they were read ahead: as it was handed over. */
export interface ClaimedCapture extends QueuedCapture {
  content?: { bytes: Uint8Array<ArrayBuffer>; mtimeMs: number };
}

/** What {@linkcode ReadAhead} returns. */
export interface Batch {
  claimed: ClaimedCapture[];
  /** The memory in which all lies that was read, if anything was. */
  memory: ArrayBuffer | undefined;
}

/**
 * Claims captures and reads the small ones that are in the spool. One that cannot
 * be read, or is not as it was handed over, is left to whoever sends it.
 */
export class ReadAhead {
  readonly #claim: (limit: number) => QueuedCapture[];
  readonly #spool: { pathOf(id: string): string };
  /** Claimed, and not returned: to return them all at once would take too much memory. */
  #waiting: QueuedCapture[] = [];
  /** Of batches that are done, to be used again. */
  readonly #memory: ArrayBuffer[] = [];

  constructor(
    claim: (limit: number) => QueuedCapture[],
    spool: { pathOf(id: string): string },
  ) {
    this.#claim = claim;
    this.#spool = spool;
  }

  /**
   * Returns some of the next captures, `limit` at most; none only if none is due.
   *
   * @param emptied The memory of batches that are of no more use.
   */
  next(limit: number, emptied: ArrayBuffer[] = []): Batch {
    this.#memory.push(...emptied);
    if (this.#waiting.length === 0) this.#waiting = this.#claim(limit);
    let bytes = 0;
    const end = this.#waiting.findIndex((capture, count) => {
      bytes += bytesAhead(capture);
      return count === limit || bytes > MAX_TOTAL_BYTES;
    });
    const count = end < 0 ? this.#waiting.length : end;
    return this.#read(this.#waiting.splice(0, count));
  }

  #read(captures: QueuedCapture[]): Batch {
    if (!captures.some(isRead)) return { claimed: captures, memory: undefined };
    const memory = this.#memory.pop() ?? new ArrayBuffer(MAX_TOTAL_BYTES);
    let at = 0;
    const claimed = captures.map((capture) => {
      if (!isRead(capture)) return capture;
      const bytes = new Uint8Array(memory, at, bytesAhead(capture));
      at += bytes.length;
      try {
        const mtimeMs = capture.mtimeMs!;
        readAsKnown(this.#spool.pathOf(capture.id), bytes, mtimeMs);
        return { ...capture, content: { bytes, mtimeMs } };
      } catch {
        return capture;
      }
    });
    return { claimed, memory };
  }
}

function isRead({ spooled, size, mtimeMs }: QueuedCapture): boolean {
  return spooled && mtimeMs !== null && size !== null && size >= 0 &&
    size <= MAX_BYTES;
}

function bytesAhead(capture: QueuedCapture): number {
  return isRead(capture) ? capture.size! : 0;
}

/** Fills `bytes` with a file; throws unless it has that size and modification time. */
function readAsKnown(
  path: string,
  bytes: Uint8Array,
  mtimeMs: number,
): void {
  using file = Deno.openSync(path, { read: true });
  for (let at = 0; at < bytes.length;) {
    const read = file.readSync(bytes.subarray(at));
    if (read === null) throw new Error("It became shorter");
    at += read;
  }
  const { size, mtime } = file.statSync();
  if (size === bytes.length && mtime?.getTime() === mtimeMs) return;
  throw new Error("It was changed");
}
