import { libc } from "../../host/libc.ts";

/** How long after the last work memory is given back, in milliseconds. */
const QUIET_MS = 5000;

/**
 * Gives memory back once after each burst of work: V8 by itself does not collect
 * garbage while the program is idle.
 */
export class MemoryKeeper {
  readonly #now: () => number;
  /** `null` once memory was given back. */
  #workedAt: number | null;

  /** @param now A clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    // The start counts as work.
    this.#workedAt = now();
  }

  /** Something was done. */
  worked(): void {
    this.#workedAt = this.#now();
  }

  /** Calls `release` if it is time to. */
  turn(release: () => void): void {
    if (this.#workedAt === null) return;
    if (this.#now() - this.#workedAt < QUIET_MS) return;
    this.#workedAt = null;
    release();
  }
}

/**
 * Collects all garbage and returns free memory to the system. Where V8's
 * `--expose-gc` is missing, or the C library is another than glibc, it does less.
 */
export function releaseMemory(): void {
  const { gc } = globalThis as { gc?: (options: object) => void };
  // Without "last-resort" V8 keeps the pages.
  gc?.({ type: "major", flavor: "last-resort" });
  // By itself glibc returns only memory at the end of the heap.
  libc?.malloc_trim(0n);
}
