import type { WatchedFile } from "../spool/copies.ts";
import type { Taker } from "./watcher_options.ts";

/** How many files are collected. */
const BATCH = 500;
/** How many bytes are in them: large ones take long to be copied. */
const BATCH_BYTES = 64 * 1024 * 1024;
/** Metadata is held in memory, several times over while it is written. */
const METADATA_WEIGHT = 8;

/** Collects finished files and hands them over, some at a time. */
export class FinishedFiles {
  readonly #taker: Pick<Taker, "known" | "onFinished">;
  /** By path: several ways may lead to the same file. */
  readonly #files = new Map<string, WatchedFile>();
  #bytes = 0;
  #failure: Error | undefined;
  #areAllTaken = true;

  constructor(taker: Pick<Taker, "known" | "onFinished">) {
    this.#taker = taker;
  }

  /** Whether there are enough to be handed over. */
  get isFull(): boolean {
    return this.#files.size >= BATCH || this.#bytes >= BATCH_BYTES;
  }

  add(file: WatchedFile): void {
    this.#files.set(file.path, file);
    this.#bytes += file.identity.size +
      file.metadataJson.length * METADATA_WEIGHT;
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
    let taken = 0;
    for (const file of files) {
      if (this.#isKnown(file) || await this.#take([file])) taken++;
    }
    if (taken === 0) throw this.#failure;
  }

  /**
   * Returns whether all files were what they had been, since this was asked last.
   *
   * @throws {Error} what went wrong since then.
   */
  takeResult(): boolean {
    const [failure, areAllTaken] = [this.#failure, this.#areAllTaken];
    this.#failure = undefined;
    this.#areAllTaken = true;
    if (failure) throw failure;
    return areAllTaken;
  }

  #isKnown(file: WatchedFile): boolean {
    const [state] = this.#taker.known([file]);
    return state !== undefined && state !== "in doubt";
  }

  async #take(files: WatchedFile[]): Promise<boolean> {
    try {
      const left = await this.#taker.onFinished(files);
      if (left.length > 0) this.#areAllTaken = false;
      return true;
    } catch (error) {
      this.#failure = error as Error;
      return false;
    }
  }
}
