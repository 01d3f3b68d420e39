import { delay } from "@std/async/delay";

/**
 * A lock that one process holds as long as it lives: the system releases it
 * when the process ends, however it ends.
 */
export class ProcessLock implements Disposable {
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /** Takes the lock if nobody holds it, else returns `undefined` at once. */
  static async tryAcquire(path: string): Promise<ProcessLock | undefined> {
    const file = Deno.openSync(path, {
      create: true,
      write: true,
      mode: 0o600,
    });
    if (await tryLock(file)) return new ProcessLock(file);
    try {
      file.close();
    } catch {
      // On Deno before 2.7 the wait for the lock may still use it.
    }
    return undefined;
  }

  /** Whether some process holds the lock. */
  static async isHeld(path: string): Promise<boolean> {
    try {
      using lock = await ProcessLock.tryAcquire(path);
      return lock === undefined;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  /** Gives the lock back. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** How long Deno before 2.7 waits for a lock before it counts as held, in milliseconds. */
const OLD_DENO_WAIT_MS = 100;

async function tryLock(
  file: Deno.FsFile & { tryLock?: (exclusive: boolean) => Promise<boolean> },
): Promise<boolean> {
  if (file.tryLock) return await file.tryLock(true);
  const waiting = new AbortController();
  const locked = file.lock(true).then(() => true, () => false);
  const timedOut = delay(OLD_DENO_WAIT_MS, { signal: waiting.signal })
    .then(() => false, () => false);
  try {
    return await Promise.race([locked, timedOut]);
  } finally {
    waiting.abort();
  }
}
