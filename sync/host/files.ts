import { ifThere, tryTo } from "./try_to.ts";

/** Writes all of some bytes to an open file, or to a stream of this process. */
export function writeAll(
  file: Pick<Deno.FsFile, "writeSync">,
  data: Uint8Array,
): void {
  for (let at = 0; at < data.length;) at += file.writeSync(data.subarray(at));
}

/** Makes a file's bytes durable, whichever program wrote them. */
export function syncFile(path: string): void {
  // Windows syncs only files that are open for writing.
  const write = Deno.build.os === "windows";
  using file = Deno.openSync(path, { read: !write, write });
  file.syncSync();
}

/** Makes the names in a directory durable: new, renamed and removed ones. */
export function syncDir(path: string): void {
  // Windows cannot open a directory, and keeps its names by its journal.
  if (Deno.build.os === "windows") return;
  using directory = Deno.openSync(path, { read: true });
  directory.syncSync();
}

/** Removes a file; returns whether there was one. */
export function removeIfThere(path: string): boolean {
  return ifThere(() => {
    Deno.removeSync(path);
    return true;
  }) ?? false;
}

/**
 * Whether something could not be written because there is no room, or no more for
 * this user or in one file.
 */
export function isOutOfRoom(error: unknown): boolean {
  return hasCode(error, "ENOSPC", "EDQUOT") || isTooLarge(error);
}

/** Whether a file is not there. */
export function isGone(error: unknown): boolean {
  return hasCode(error, "ENOENT");
}

/** Whether something could not be written because its file system is mounted read-only. */
export function isReadOnly(error: unknown): boolean {
  return hasCode(error, "EROFS");
}

/** Whether the system gave an error, or what caused it, one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (codes.includes(String((cause as { code?: string }).code))) return true;
  }
  return false;
}

/** Whether a file would be larger than this process, or the file system, may have one. */
export function isTooLarge(error: unknown): boolean {
  // Deno gives no code for it.
  return error instanceof Error && /\(os error 27\)/.test(error.message);
}

/** Whether something could not be opened because this process, or the system, has too many files open. */
export function isOutOfDescriptors(error: unknown): boolean {
  if (hasCode(error, "EMFILE", "ENFILE")) return true;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    // Deno's `fetch` gives no code.
    if (/\(os error 2[34]\)/.test(cause.message)) return true;
  }
  return false;
}

/** Looks at a path, following links; `undefined` if nothing is there. */
export function statIfThere(path: string): Deno.FileInfo | undefined {
  return ifThere(() => Deno.statSync(path));
}

/**
 * In bytes; `undefined` if there is no such file.
 *
 * @throws {Error} if something else has this name: opening a pipe would wait for ever.
 */
export function fileSize(path: string): number | undefined {
  const info = statIfThere(path);
  if (info && !info.isFile) {
    const what = info.isDirectory ? "a directory" : "not a file";
    throw new Error(
      `Cannot open "${path}": it is ${what}, expected a file; move it away, then try again`,
    );
  }
  return info?.size;
}

/** Whether a folder has this name, or a link to one. */
export function isFolder(path: string): boolean {
  return tryTo(() => Deno.statSync(path).isDirectory) ?? false;
}

/** Whether an error says that nothing is at a path; all others say nothing of that. */
export function isAbsence(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    error instanceof Deno.errors.NotADirectory;
}

/** Whether nothing is at a path for sure, not even a link that leads nowhere. */
export function isAbsent(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return false;
  } catch (error) {
    return isAbsence(error);
  }
}

/** Whether anything is at this path, even a link that leads nowhere. */
export function exists(path: string): boolean {
  return tryTo(() => Deno.lstatSync(path)) !== undefined;
}
