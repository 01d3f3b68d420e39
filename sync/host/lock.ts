import { deadline } from "@std/async/deadline";
import { dirname } from "@std/path";
import { assertOwn } from "./data_dir.ts";
import { exists, statIfThere } from "./files.ts";

/** How long Deno before 2.7 waits for a lock before it counts as held, in milliseconds. */
const OLD_DENO_WAIT_MS = 100;

/** Only Deno from 2.7 on can ask for a lock without waiting for it. */
type LockFile = Deno.FsFile & {
  tryLock?: (exclusive: boolean) => Promise<boolean>;
};

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

  /** Whether some process holds the lock. Creates nothing. */
  static async isHeld(path: string): Promise<boolean> {
    if (!exists(lockable(path))) return false;
    using file = await tryLock(openLockable(path));
    return file === undefined;
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

/** What is locked where a file stands for a lock: Windows opens no directories. */
function lockable(path: string): string {
  return Deno.build.os === "windows" ? path : dirname(path);
}

function openLockable(path: string): Deno.FsFile {
  return Deno.openSync(lockable(path), { read: true });
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
  const file = Deno.openSync(path, { create: true, write: true, mode: 0o600 });
  try {
    assertOwn(path);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Opens a file for appending, and keeps others from locking it until it is
 * closed; waits for them. It is created if need be, for this user alone.
 */
export function openLocked(path: string): Deno.FsFile {
  while (true) {
    const options = { append: true, create: true, mode: 0o600 };
    const file = Deno.openSync(path, options);
    // Exclusive: beside a shared lock some systems would let nobody write.
    file.lockSync(true);
    if (file.statSync().ino === statIfThere(path)?.ino) return file;
    // It was removed or replaced while the lock was waited for.
    file.close();
  }
}
