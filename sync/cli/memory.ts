import { libc } from "../host/libc.ts";

/** Within a burst of work, to collect would only cost time. */
const QUIET_MS = 5000;

/**
 * Gives memory back once after each burst of work. By itself V8 leaves its garbage
 * where it is for as long as nothing new comes.
 */
export class MemoryKeeper {
  readonly #now: () => number;
  /** `null` once memory was given back. */
  #workedAt: number | null;

  /** @param now A clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    // To start is work, too.
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
