import { deadline } from "@std/async/deadline";
import { dirname } from "@std/path";
import { assertOwn, closedOf } from "./data_dir.ts";
import { statIfThere } from "./files.ts";
import { openPrivate } from "./private_files.ts";
import { closeOnError } from "./try_to.ts";

/** How long Deno before 2.7 waits for a lock before it counts as held, in milliseconds. */
const OLD_DENO_WAIT_MS = 100;

/** How long a lock is waited for that is held only for moments, and how often it is asked for, in milliseconds. */
const WAIT_MS = 5_000;
const ASK_EVERY_MS = 1;

/** Only Deno from 2.7 on can ask for a lock without waiting for it. */
type LockFile = Deno.FsFile & {
  tryLock?: (exclusive: boolean) => Promise<boolean>;
  tryLockSync?: (exclusive: boolean) => boolean;
};

/** Another process holds a file locked, and does not go on: somebody has stopped it. */
export class LockedError extends Error {
  override name = "LockedError";
}

/**
 * A directory's lock, which one process holds as long as it lives: the system
 * releases it when the process ends, however it ends.
 *
 * A file in the directory stands for it. It is the directory itself that is locked:
 * a file can be removed, and the next process would lock one that is new.
 */
export class ProcessLock implements Disposable {
  readonly #file: Deno.FsFile;

  private constructor(file: Deno.FsFile) {
    this.#file = file;
  }

  /**
   * Takes the lock if nobody holds it, else returns `undefined` at once.
   *
   * @param path The file, which is made if need be.
   * @throws {Error} if the file cannot be opened, belongs to another user, or its
   * file system has no locks.
   */
  static async tryAcquire(path: string): Promise<ProcessLock | undefined> {
    open(path).close();
    const file = await tryLock(openLockable(path));
    return file && new ProcessLock(file);
  }

  /** Whether some process of this user holds the lock. Creates nothing. */
  static async isHeld(path: string): Promise<boolean> {
    try {
      using file = await tryLock(openLockable(path));
      return file === undefined;
    } catch {
      // There is no such directory, or it is another user's.
      return false;
    }
  }

  /** Waits until nobody holds the lock, and does not take it. */
  static async whenFree(path: string): Promise<void> {
    using file = openLockable(path);
    await file.lock(true);
  }

  /** Gives the lock back. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Opens the file that is locked in place of a directory: Windows opens no directories. */
function openLockable(path: string): Deno.FsFile {
  const place = Deno.build.os === "windows" ? path : dirname(path);
  return Deno.openSync(place, { read: true });
}

/** Opens and locks a file if nobody holds it locked, else returns `undefined` at once. */
export async function tryOpenLocked(
  path: string,
): Promise<Deno.FsFile | undefined> {
  return await tryLock(open(path));
}

/** Locks an open file; closes it if somebody else holds it locked. */
async function tryLock(file: LockFile): Promise<Deno.FsFile | undefined> {
  if (file.tryLock) {
    if (await file.tryLock(true)) return file;
    file.close();
    return undefined;
  }
  const locked = file.lock(true);
  try {
    await deadline(locked, OLD_DENO_WAIT_MS);
    return file;
  } catch (error) {
    // The wait cannot be called off: a lock that comes after all is given back.
    locked.catch(() => {}).finally(() => file.close());
    const late = error instanceof DOMException;
    if (late && error.name === "TimeoutError") return undefined;
    throw error;
  }
}

/** @throws {Error} if it cannot be opened, or belongs to another user. */
function open(path: string): Deno.FsFile {
  return closeOnError(openOrExplain(path), () => assertOwn(path));
}

function openOrExplain(path: string): Deno.FsFile {
  try {
    return openPrivate(path);
  } catch (cause) {
    const isClosed = cause instanceof Deno.errors.PermissionDenied;
    const closed = isClosed ? closedOf([path]) : undefined;
    if (closed === undefined) throw cause;
    throw new Error(`Cannot lock "${path}": ${closed}`, { cause });
  }
}

/**
 * Opens a file for appending, and keeps others from locking it until it is
 * closed; waits for them. It is created if need be, for this user alone.
 *
 * @throws {LockedError} as {@linkcode lockNow}.
 */
export function openLocked(path: string): Deno.FsFile {
  while (true) {
    const file = openPrivate(path, { append: true });
    try {
      lockNow(file, path);
      if (file.statSync().ino === statIfThere(path)?.ino) return file;
    } catch (error) {
      file.close();
      throw error;
    }
    // It was removed or replaced while the lock was waited for.
    file.close();
  }
}

/**
 * Keeps others from locking an open file until it is closed; waits for them.
 *
 * @throws {LockedError} if one of them has it locked for 5 s; before Deno 2.7 it is
 * waited for.
 */
export function lockNow(file: LockFile, path: string): void {
  // Exclusive: beside a shared lock some systems would let nobody write.
  if (!file.tryLockSync) return file.lockSync(true);
  const until = performance.now() + WAIT_MS;
  while (!file.tryLockSync(true)) {
    if (performance.now() > until) {
      throw new LockedError(
        `Cannot use "${path}": another process has it locked for ${
          WAIT_MS / 1000
        } s; let it go on if it was stopped, then try again`,
      );
    }
    pauseSync(ASK_EVERY_MS);
  }
}

/** Holds up the thread, where there is nothing else to do. */
export function pauseSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
