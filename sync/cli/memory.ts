/** Gives memory back that a burst of work has left behind. */

import { libc } from "../host/libc.ts";

/** Options for {@linkcode MemoryKeeper}. */
export interface MemoryKeeperOptions {
  /** What the process holds, in bytes. */
  residentBytes: () => number;
  /** A clock in milliseconds. */
  now: () => number;
}

/** So long nothing was done. Within a burst, collecting would only cost time. */
const QUIET_MS = 5000;
/** So much more is worth the time that it takes, some 50 ms. */
const WORTH_BYTES = 512 * 1024;

/**
 * Lets a process give its memory back behind each burst of work, and what
 * anything else has taken: looking through a large folder does. By itself V8 lets
 * its garbage lie as long as nothing new comes: an agent that had delivered
 * 20,000 captures held 150 MB for as long as it was idle.
 */
export class MemoryKeeper {
  readonly #residentBytes: () => number;
  readonly #now: () => number;
  #workedAt: number;
  #keptBytes = 0;

  constructor(options: MemoryKeeperOptions) {
    this.#residentBytes = options.residentBytes;
    this.#now = options.now;
    // To start is work, too.
    this.#workedAt = this.#now();
  }

  /** Something was done. */
  worked(): void {
    this.#workedAt = this.#now();
  }

  /** Calls `release` if it is time to. */
  turn(release: () => void): void {
    if (this.#now() - this.#workedAt < QUIET_MS) return;
    const resident = this.#residentBytes();
    // Some of what is released is given back by other threads, a moment later.
    this.#keptBytes = Math.min(this.#keptBytes, resident);
    if (resident < this.#keptBytes + WORTH_BYTES) return;
    release();
    this.#keptBytes = this.#residentBytes();
  }
}

/**
 * Collects all garbage and gives the system back what is free then. Where V8's
 * `--expose-gc` is missing, or the C library is another than glibc, it does less.
 */
export function releaseMemory(): void {
  const { gc } = globalThis as { gc?: (options: object) => void };
  // Without "last-resort" V8 keeps the pages for what may come.
  gc?.({ type: "major", flavor: "last-resort" });
  // glibc itself gives back only what is at the heap's end.
  libc?.malloc_trim(0n);
}
