import { delay } from "@std/async/delay";
import type { WatchedFile } from "./intake.ts";

/** How many files are handed over at a time. */
const BATCH = 100;

/** Who takes finished files over. */
export interface Taker {
  /** Whether this very file was taken over before. */
  isKnown: (path: string, size: number, mtimeMs: number) => boolean;
  /** Takes files over, or throws: some of them may be known then all the same. */
  onFinished: (files: WatchedFile[]) => Promise<void>;
}

/** Collects finished files and hands them over, some at a time. */
export class FinishedFiles {
  readonly #taker: Taker;
  /** By path: several ways may lead to the same file. */
  readonly #files = new Map<string, WatchedFile>();

  /** What went wrong last with a file; others may have been handed over since. */
  failure: Error | undefined;

  constructor(taker: Taker) {
    this.#taker = taker;
  }

  /** @throws as {@linkcode FinishedFiles.flush} does. */
  async add(file: WatchedFile): Promise<void> {
    this.#files.set(file.path, file);
    if (this.#files.size < BATCH) return;
    await this.flush();
    // Others get their turn.
    await delay(0);
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
    if (files.length === 0 || await this.#take(files)) return;
    if (files.length === 1) return;
    const taken = [];
    for (const file of files) {
      const { path, size, mtimeMs } = file;
      if (
        this.#taker.isKnown(path, size, mtimeMs) || await this.#take([file])
      ) {
        taken.push(file);
      }
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
