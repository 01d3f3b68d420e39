import type { WatchedFile } from "../spool/copies.ts";
import type { Taker } from "./watcher_options.ts";

type Takes = Pick<Taker, "known" | "onFinished" | "onSkipped">;

/** How many files are collected. */
const BATCH = 500;
/** How many bytes are in them: large ones take long to be copied. */
const BATCH_BYTES = 64 * 1024 * 1024;
/** Metadata is held in memory, several times over while it is written. */
const METADATA_WEIGHT = 8;

/** Collects finished files and hands them over, some at a time. */
export class FinishedFiles {
  readonly #taker: Takes;
  /** By path: several ways may lead to the same file. */
  readonly #files = new Map<string, WatchedFile>();
  /** One name of each. */
  readonly #byFile = new Map<string, WatchedFile>();
  #bytes = 0;
  #failure: Error | undefined;
  #areAllTaken = true;

  constructor(taker: Takes) {
    this.#taker = taker;
  }

  /** Whether there are enough to be handed over. */
  get isFull(): boolean {
    return this.#files.size >= BATCH || this.#bytes >= BATCH_BYTES;
  }

  add(file: WatchedFile): void {
    const { path, identity: { fileId }, metadataJson } = file;
    const other = this.#byFile.get(fileId);
    // Another name of a file is no capture of its own, unless its metadata are.
    const isSame = other?.metadataJson === metadataJson && other.path !== path;
    if (isSame) {
      const reason = `another name of "${other.path}"`;
      return this.#taker.onSkipped?.(path, { kind: "pass", reason });
    }
    this.#byFile.set(fileId, file);
    this.#files.set(path, file);
    this.#bytes += file.identity.size +
      file.metadataJson.length * METADATA_WEIGHT;
  }

  /**
   * Hands over the collected files. A file that cannot be taken does not hold up the
   * others; it is forgotten and has to be found again.
   *
   * @throws {Error} if none of several files can be taken.
   */
  async flush(): Promise<void> {
    // By now one may be known as another name of a file.
    const files = this.#unknown([...this.#files.values()]);
    this.#files.clear();
    this.#byFile.clear();
    this.#bytes = 0;
    if (files.length === 0 || await this.#take(files)) return;
    if (files.length === 1) return;
    let taken = 0;
    for (const file of files) {
      // Only its content tells whether it was taken just now; it is found again.
      if (file.isUnsure) continue;
      const isKnown = this.#unknown([file]).length === 0;
      if (isKnown || await this.#take([file])) taken++;
    }
    if (taken === 0) throw this.#failure;
  }

  /**
   * Returns whether all files were what they had been, since this was asked last.
   *
   * @throws {Error} the first error since then.
   */
  takeResult(): boolean {
    const [failure, areAllTaken] = [this.#failure, this.#areAllTaken];
    this.#failure = undefined;
    this.#areAllTaken = true;
    if (failure) throw failure;
    return areAllTaken;
  }

  #unknown(files: WatchedFile[]): WatchedFile[] {
    const states = this.#taker.known(files);
    return files.filter((_, n) =>
      states[n] === undefined || states[n] === "in doubt"
    );
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
