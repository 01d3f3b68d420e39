import type { FileIdentity, OpenedFile } from "../host/opened_file.ts";

/** A file of a watched folder, as it was seen. */
export interface SeenFile {
  path: string;
  identity: FileIdentity;
}

/** A finished file of a watched folder, to be taken over. */
export interface FinishedFile extends SeenFile {
  /** A JSON object, as it was written. */
  metadataJson: string;
  /**
   * Opens it, with no link below the watched folder.
   *
   * @throws {Error} if it cannot be opened, or is not what was seen any more.
   */
  open(): OpenedFile;
}

/** How many files are collected. */
const BATCH = 500;
/** How many bytes are in them: large ones take long to be copied. */
const BATCH_BYTES = 64 * 1024 * 1024;
/** Metadata is held in memory, several times over while it is written. */
const METADATA_WEIGHT = 8;

/** Collects finished files and hands them over, some at a time. */
export class FinishedFiles {
  readonly #handOver: (files: FinishedFile[]) => Promise<void>;
  readonly #isKnown: (file: SeenFile) => boolean;
  /** By path: several ways may lead to the same file. */
  readonly #files = new Map<string, FinishedFile>();
  #bytes = 0;
  #failure: Error | undefined;

  /**
   * @param handOver Takes files over, or throws: some of them may be taken then
   * all the same.
   * @param isKnown Whether a file was taken over.
   */
  constructor(
    handOver: (files: FinishedFile[]) => Promise<void>,
    isKnown: (file: SeenFile) => boolean,
  ) {
    this.#handOver = handOver;
    this.#isKnown = isKnown;
  }

  /** Whether there are enough to be handed over. */
  get isFull(): boolean {
    return this.#files.size >= BATCH || this.#bytes >= BATCH_BYTES;
  }

  add(file: FinishedFile): void {
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

  async #take(files: FinishedFile[]): Promise<boolean> {
    try {
      await this.#handOver(files);
      return true;
    } catch (error) {
      this.#failure = error as Error;
      return false;
    }
  }
}
