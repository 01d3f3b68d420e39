import { reached } from "../host/fault_point.ts";
import type { QueuedCapture, Settlement } from "../queue/queue.ts";
import type { ClaimedCapture } from "./read_ahead.ts";

/** What bookkeeping needs of a queue; `UploadQueue` is one. */
export interface BookkeepingQueue {
  claim(limit: number): QueuedCapture[];
  settle(settlements: Settlement[]): number;
  recover(): number;
}

/** What bookkeeping needs of a spool; `Spool` is one. */
export interface BookkeepingSpool {
  discard(id: string, size: number | null): Promise<void>;
}

/** A delivered capture's entry in the spool, which is of no more use. */
export interface SpentEntry {
  id: string;
  /** In bytes, as far as it is known. */
  size: number | null;
}

/** The half of a delivery that waits for the disk: what is sent next, and what became of it. */
export interface Bookkeeper {
  /**
   * Records what became of captures, in one transaction, then removes the
   * entries that are spent by that.
   *
   * @returns Why an entry could not be removed, or `null`.
   * @throws whatever kept it from being recorded; then nothing of it is.
   */
  settle(
    settlements: Settlement[],
    spent: SpentEntry[],
  ): Promise<string | null>;
}

/** A bookkeeper who is waited for; `Bookkeeping` is one. */
export interface BookkeeperHere extends Bookkeeper {
  /** Returns the captures that are due, oldest first, and marks them `uploading`. */
  claim(limit: number): QueuedCapture[];
  /** Makes what is marked `uploading` pending again; only while nothing is being sent. */
  recover(): void;
}

/** A bookkeeper on another thread, until he is dismissed; `BookkeepingThread` is one. */
export interface BookkeeperAside extends Bookkeeper, AsyncDisposable {
  /**
   * As {@linkcode BookkeeperHere.claim}, with the bytes of small ones; some more
   * may be marked than are returned.
   */
  claim(limit: number): Promise<ClaimedCapture[]>;
  /** The bytes that came with a capture are not needed any more. */
  done(capture: ClaimedCapture): void;
}

/** Bookkeeping on this thread: whoever asks waits, and with him all else on it. */
export class Bookkeeping implements BookkeeperHere {
  readonly #queue: BookkeepingQueue;
  readonly #spool: BookkeepingSpool | undefined;

  constructor(queue: BookkeepingQueue, spool?: BookkeepingSpool) {
    this.#queue = queue;
    this.#spool = spool;
  }

  claim(limit: number): QueuedCapture[] {
    return this.#queue.claim(limit);
  }

  recover(): void {
    this.#queue.recover();
  }

  async settle(
    settlements: Settlement[],
    spent: SpentEntry[],
  ): Promise<string | null> {
    this.#queue.settle(settlements);
    reached("settled");
    let trouble: string | null = null;
    for (const { id, size } of spent) {
      try {
        await this.#spool?.discard(id, size);
      } catch (error) {
        trouble ??= error instanceof Error ? error.message : String(error);
      }
    }
    return trouble;
  }
}
