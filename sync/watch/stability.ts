/** Options for {@linkcode Settling}. */
export interface SettlingOptions {
  /** How long files must stay as they are, in milliseconds. */
  settleMs: number;
  /**
   * How many captures may be waited for at a time.
   *
   * @default {10000}
   */
  max?: number;
}

/** Captures that have yet to stay as they are for some time. */
export class Settling {
  readonly #settleMs: number;
  readonly #max: number;
  /** What each looks like, and since when by a clock that never jumps; in the order of that. */
  readonly #waiting = new Map<string, { look: string; since: number }>();

  constructor({ settleMs, max = 10_000 }: SettlingOptions) {
    this.#settleMs = settleMs;
    this.#max = max;
  }

  /** Whether no more can be waited for. */
  get isFull(): boolean {
    return this.#waiting.size >= this.#max;
  }

  /** When the first may be settled, as a time of `performance.now()`. */
  get nextAt(): number {
    const { value } = this.#waiting.values().next();
    return value ? value.since + this.#settleMs : Infinity;
  }

  /** Those that may be settled now. */
  *due(): Generator<string> {
    const now = performance.now();
    for (const [path, { since }] of this.#waiting) {
      // Those behind it were seen later.
      if (now - since < this.#settleMs) return;
      yield path;
    }
  }

  /**
   * Whether a capture has been as it is for the settle time. If not, it is
   * waited for.
   *
   * @param files The files that it consists of, as they are now.
   * @param unproven Those of them that are not known to be finished.
   */
  isSettled(
    path: string,
    files: Deno.FileInfo[],
    unproven: Deno.FileInfo[] = files,
  ): boolean {
    const seen = this.#waiting.get(path);
    if (!seen) {
      // Their own times may say that they have been so for long.
      const now = Date.now();
      const isOld = (file: Deno.FileInfo) =>
        now - changedAt(file) >= this.#settleMs;
      if (unproven.every(isOld)) return true;
    } else if (seen.look === lookOf(files)) {
      return performance.now() - seen.since >= this.#settleMs;
    }
    this.wait(path, files);
    return false;
  }

  /** Waits for a capture, from now on unless it looks as it did; none if there is no room. */
  wait(path: string, files: Deno.FileInfo[]): void {
    const look = lookOf(files);
    if (this.#waiting.get(path)?.look === look) return;
    this.#waiting.delete(path);
    if (this.isFull) return;
    this.#waiting.set(path, { look, since: performance.now() });
  }

  /** Waits for a capture no more. */
  forget(path: string): void {
    this.#waiting.delete(path);
  }
}

function lookOf(files: Deno.FileInfo[]): string {
  return files.map(({ size, mtime }) => `${size} ${mtime?.getTime()}`).join();
}

/** When a file has changed last: a copy that keeps the original's modification time still has a new change time. */
export function changedAt({ mtime, ctime }: Deno.FileInfo): number {
  return Math.max(mtime?.getTime() || 0, ctime?.getTime() || 0);
}
