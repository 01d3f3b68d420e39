import type { WatchedFile } from "../spool/intake.ts";

/** A file of a watched folder, as it was seen. */
export type SeenFile = Pick<WatchedFile, "path" | "identity">;

/** How many files are collected. */
const BATCH = 500;
/** How many bytes are in them: large ones take long to be copied. */
const BATCH_BYTES = 64 * 1024 * 1024;
/** Metadata is held in memory, several times over while it is written. */
const METADATA_WEIGHT = 8;

/** Collects finished files and hands them over, some at a time. */
export class FinishedFiles {
  readonly #handOver: (files: WatchedFile[]) => Promise<void>;
  readonly #isKnown: (file: SeenFile) => boolean;
  /** By path: several ways may lead to the same file. */
  readonly #files = new Map<string, WatchedFile>();
  #bytes = 0;
  #failure: Error | undefined;

  /**
   * @param handOver Takes files over, or throws: some of them may be taken then
   * all the same.
   * @param isKnown Whether a file was taken over.
   */
  constructor(
    handOver: (files: WatchedFile[]) => Promise<void>,
    isKnown: (file: SeenFile) => boolean,
  ) {
    this.#handOver = handOver;
    this.#isKnown = isKnown;
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

  /** @throws {Error} what went wrong since this was asked last. */
  throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure;
  }

  async #take(files: WatchedFile[]): Promise<boolean> {
    try {
      await this.#handOver(files);
      return true;
    } catch (error) {
      this.#failure = error as Error;
      return false;
    }
  }
}
