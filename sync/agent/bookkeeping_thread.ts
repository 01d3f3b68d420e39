import type { BookkeeperAside, SpentEntry } from "./bookkeeping.ts";
import type { Engine } from "../queue/sqlite.ts";
import type { Settlement } from "../queue/queue.ts";
import type { Batch, ClaimedCapture } from "./read_ahead.ts";

/** What a thread opens for itself: an open database cannot be handed over. */
export interface BookkeepingPlace {
  /** The queue's file, which exists. */
  queuePath: string;
  /** The same as this thread's: two of them would drop each other's file locks. */
  engine: Engine;
  spoolDir: string;
  /** See `UploadQueue`. */
  reserveBytes?: number;
}

/** What is asked of the thread; `nth` comes back with the answer. */
export type BookkeepingRequest =
  & { nth: number }
  & (
    | { what: "open"; place: BookkeepingPlace }
    | { what: "claim"; limit: number; emptied: ArrayBuffer[] }
    | { what: "settle"; settlements: Settlement[]; spent: SpentEntry[] }
    | { what: "close" }
  );

/** A request without its number. */
type Asked = BookkeepingRequest extends infer R
  ? R extends unknown ? Omit<R, "nth"> : never
  : never;

/** What the thread answers: a result, or why there is none. */
export interface BookkeepingAnswer {
  nth: number;
  result?: unknown;
  error?: string;
}

/**
 * Bookkeeping on a thread of its own, so that uploads go on while the disk
 * writes. It costs some 10 MB and 50 ms of a processor: for a backlog.
 */
export class BookkeepingThread implements BookkeeperAside {
  readonly #worker: Worker;
  readonly #waiting = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >();
  /** By the memory in which captures were read ahead, how many are not done. */
  readonly #users = new Map<ArrayBuffer, number>();
  /** To be used again: to allocate and collect it would take as long as to read the files. */
  readonly #emptied: ArrayBuffer[] = [];
  #asked = 0;
  #failure: Error | undefined;

  private constructor() {
    // A bundle has the modules under the same names, as JavaScript.
    const name = `bookkeeping_worker${import.meta.url.slice(-3)}`;
    this.#worker = new Worker(new URL(name, import.meta.url), {
      type: "module",
      name: "bookkeeping",
    });
    this.#worker.onmessage = ({ data }) => this.#answered(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new Error(`The bookkeeping has ended: ${event.message}`));
    };
  }

  /**
   * Starts the thread and opens the queue on it.
   *
   * @param queue Is open on this thread, and stays so.
   * @param options `reserveBytes` as for `UploadQueue`.
   * @throws {Error} if it cannot be started, or the queue not be opened there.
   */
  static async start(
    queue: { path: string; engine: { name: Engine }; isThreadSafe: boolean },
    spool: { dir: string },
    options: { reserveBytes?: number } = {},
  ): Promise<BookkeepingThread> {
    if (!queue.isThreadSafe) throw new Error("this SQLite is for one thread");
    const place = {
      ...options,
      queuePath: queue.path,
      engine: queue.engine.name,
      spoolDir: spool.dir,
    };
    const thread = new BookkeepingThread();
    try {
      await thread.#ask({ what: "open", place });
      return thread;
    } catch (error) {
      thread.#worker.terminate();
      throw error;
    }
  }

  async claim(limit: number): Promise<ClaimedCapture[]> {
    const emptied = this.#emptied.splice(0);
    const asked = { what: "claim", limit, emptied } as const;
    const { claimed } = await this.#ask(asked, emptied) as Batch;
    for (const { content } of claimed) {
      if (!content) continue;
      const memory = content.bytes.buffer;
      this.#users.set(memory, (this.#users.get(memory) ?? 0) + 1);
    }
    return claimed;
  }

  done({ content }: ClaimedCapture): void {
    if (!content) return;
    const memory = content.bytes.buffer;
    const users = this.#users.get(memory)! - 1;
    if (users > 0) return void this.#users.set(memory, users);
    this.#users.delete(memory);
    this.#emptied.push(memory);
  }

  async settle(
    settlements: Settlement[],
    spent: SpentEntry[],
  ): Promise<string | null> {
    const asked = { what: "settle", settlements, spent } as const;
    return await this.#ask(asked) as string | null;
  }

  /** Closes the queue on the thread, when all is done that was asked, and ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#ask({ what: "close" });
    } catch {
      // It has ended already.
    } finally {
      this.#worker.terminate();
    }
  }

  #ask(asked: Asked, moved: ArrayBuffer[] = []): Promise<unknown> {
    if (this.#failure) return Promise.reject(this.#failure);
    const nth = this.#asked++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(nth, { resolve, reject });
      this.#worker.postMessage({ nth, ...asked }, moved);
    });
  }

  #answered({ nth, result, error }: BookkeepingAnswer): void {
    const waiting = this.#waiting.get(nth);
    this.#waiting.delete(nth);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(error));
  }

  #fail(error: Error): void {
    this.#failure = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
