import { dirname, join } from "@std/path";

/** Whether this system has POSIX permissions. */
const POSIX = Deno.build.os !== "windows";

/** The database's name in the data directory. */
export const QUEUE_FILE = "queue.db";

/**
 * Makes the data directory ready: it exists, and only its user may look inside.
 *
 * A directory that was there before is closed to others only if it is empty or
 * already holds a queue, so that naming `/tmp` by mistake locks nobody out.
 *
 * @throws {Error} if it cannot be created or written, or holds other things
 * and is open to other users. The message says which.
 */
export function prepareDataDir(path: string): void {
  try {
    createPrivateDir(path);
    if (POSIX) closeToOthers(path);
    const probe = join(path, `.probe-${Deno.pid}`);
    Deno.writeTextFileSync(probe, "", { mode: 0o600 });
    Deno.removeSync(probe);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `Cannot use the data directory "${path}": ${reason}`,
      { cause },
    );
  }
}

/**
 * Creates a directory, and its parents, for this user alone, so that it survives
 * a power cut; one that exists stays as it is.
 */
export function createPrivateDir(path: string): void {
  if (isDirectory(path)) return;
  const parent = dirname(path);
  if (parent !== path) createPrivateDir(parent);
  try {
    Deno.mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have been faster.
    if (!isDirectory(path)) throw error;
  }
  syncDir(parent);
}

/**
 * Creates an empty file for this user alone, whatever the umask, so that it
 * survives a power cut. One that exists is closed to others.
 *
 * @throws {Error} if something else than a file has this name.
 */
export function createPrivateFile(path: string): void {
  try {
    Deno.openSync(path, { createNew: true, write: true, mode: 0o600 }).close();
    syncDir(dirname(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    const info = Deno.statSync(path);
    if (!info.isFile) throw new Error("it is not a file");
    // By name, not opened: closing it would drop the locks that SQLite holds.
    if (POSIX && info.mode !== null && (info.mode & 0o077) !== 0) {
      Deno.chmodSync(path, 0o600);
    }
  }
}

/** Makes the names in a directory durable: new, renamed and removed ones. */
export function syncDir(path: string): void {
  // Windows cannot open a directory, and keeps its names by its journal.
  if (!POSIX) return;
  using directory = Deno.openSync(path, { read: true });
  directory.syncSync();
}

function closeToOthers(path: string): void {
  if (((Deno.statSync(path).mode ?? 0) & 0o077) === 0) return;
  const names = [...Deno.readDirSync(path)].map((entry) => entry.name);
  if (names.length > 0 && !names.includes(QUEUE_FILE)) {
    throw new Error(
      "it holds other things and other users may read it; expected an empty directory, " +
        "one that is only yours, or one that this program made",
    );
  }
  Deno.chmodSync(path, 0o700);
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
