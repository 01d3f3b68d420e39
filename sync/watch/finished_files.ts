import type { WatchedFile } from "../spool/intake.ts";

/** How many files are collected. */
const BATCH = 500;
/** How many bytes are in them: large ones take long to be copied. */
const BATCH_BYTES = 64 * 1024 * 1024;

/** A file as it was seen. */
export type SeenFile = Pick<WatchedFile, "path" | "size" | "mtimeMs">;

/** Who takes finished files over. */
export interface Taker {
  /** Tells of each whether this very file was taken over before. */
  areKnown: (files: SeenFile[]) => boolean[];
  /** Takes files over, or throws: some of them may be known then all the same. */
  onFinished: (files: WatchedFile[]) => Promise<void>;
}

/** Collects finished files and hands them over, some at a time. */
export class FinishedFiles {
  readonly #taker: Taker;
  /** By path: several ways may lead to the same file. */
  readonly #files = new Map<string, WatchedFile>();
  #bytes = 0;

  /** What went wrong last with a file; others may have been handed over since. */
  failure: Error | undefined;

  constructor(taker: Taker) {
    this.#taker = taker;
  }

  /** Whether there are enough to be handed over. */
  get isFull(): boolean {
    return this.#files.size >= BATCH || this.#bytes >= BATCH_BYTES;
  }

  add(file: WatchedFile): void {
    this.#files.set(file.path, file);
    this.#bytes += file.size;
  }

  /**
   * Hands over what was collected. A file that cannot be taken does not hold up
   * the others; it is forgotten and has to be found again.
   *
   * @throws {Error} if none of several files can be taken.
   */
  async flush(): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    this.#bytes = 0;
    if (files.length === 0 || await this.#take(files)) return;
    if (files.length === 1) return;
    const taken = [];
    for (const file of files) {
      const [isKnown] = this.#taker.areKnown([file]);
      if (isKnown || await this.#take([file])) taken.push(file);
    }
    if (taken.length === 0) throw this.failure;
  }

  async #take(files: WatchedFile[]): Promise<boolean> {
    try {
      await this.#taker.onFinished(files);
      return true;
    } catch (error) {
      this.failure = error as Error;
      return false;
    }
  }
}
