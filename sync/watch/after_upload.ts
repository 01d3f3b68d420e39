import { basename, dirname, extname, join } from "@std/path";
import { createPrivateDir, syncDir } from "../host/data_dir.ts";
import { sidecarOf } from "./sidecar.ts";

/** What becomes of a watched file once it is delivered. */
export type AfterUpload =
  | { kind: "keep" }
  | { kind: "delete" }
  | { kind: "move"; dir: string };

/** Which file it was: its size in bytes, its modification time in milliseconds since 1970. */
export interface SentFile {
  size: number;
  mtimeMs: number;
}

/**
 * Deletes or moves a delivered file and its sidecar, if the file is still the
 * one that was sent: one that is another by now stays. Moving overwrites nothing.
 *
 * @throws {Error} if the file cannot be deleted or moved: it is where it was.
 */
export async function tidyUp(
  path: string,
  sent: SentFile,
  policy: AfterUpload,
): Promise<void> {
  if (policy.kind === "keep" || !isStill(path, sent)) return;
  const sidecar = regularFile(sidecarOf(path)) && sidecarOf(path);
  // The sidecar goes first: alone it would count as a capture.
  if (policy.kind === "delete") {
    if (sidecar) Deno.removeSync(sidecar);
    return Deno.removeSync(path);
  }
  createPrivateDir(policy.dir);
  const target = freePath(policy.dir, path, sent);
  if (sidecar) await move(sidecar, sidecarOf(target));
  await move(path, target);
}

function isStill(path: string, { size, mtimeMs }: SentFile): boolean {
  const info = regularFile(path);
  return info?.size === size && (info.mtime?.getTime() || 0) === mtimeMs;
}

/** A path in the folder for a file and its sidecar that nothing has yet. */
function freePath(dir: string, path: string, { mtimeMs }: SentFile): string {
  const extension = extname(path);
  const stem = basename(path, extension);
  // What is always called the same is told apart by its time.
  const time = new Date(mtimeMs).toISOString().replaceAll(":", "-");
  for (let n = 0;; n++) {
    const suffix = ["", ` ${time}`][n] ?? ` ${time} (${n})`;
    const target = join(dir, stem + suffix + extension);
    // The sidecar may have gone there before a crash.
    const taken = exists(target) ||
      exists(sidecarOf(target)) && exists(sidecarOf(path));
    if (!taken) return target;
  }
}

async function move(path: string, target: string): Promise<void> {
  try {
    Deno.renameSync(path, target);
  } catch (error) {
    if ((error as { code?: string }).code !== "EXDEV") throw error;
    await moveToOtherFileSystem(path, target);
  }
}

/** The original goes when the copy is on the disk, and only if it is still what was copied. */
async function moveToOtherFileSystem(
  path: string,
  target: string,
): Promise<void> {
  const { size, mtime } = Deno.statSync(path);
  const dir = dirname(target);
  let copy = join(dir, `.${basename(target)}.part`);
  try {
    await Deno.copyFile(path, copy);
    if (mtime) Deno.utimeSync(copy, mtime, mtime);
    syncFile(copy);
    if (!isStill(path, { size, mtimeMs: mtime?.getTime() || 0 })) {
      throw new Error("it changed while it was moved");
    }
    Deno.renameSync(copy, target);
    copy = target;
    syncDir(dir);
    Deno.removeSync(path);
  } catch (error) {
    if (exists(copy)) Deno.removeSync(copy);
    throw error;
  }
}

function syncFile(path: string): void {
  using file = Deno.openSync(path, { read: true });
  file.syncSync();
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

/** Looks at a file; `undefined` if it is not there or not a regular file (a link is not). */
function regularFile(path: string): Deno.FileInfo | undefined {
  try {
    const info = Deno.lstatSync(path);
    return info.isFile ? info : undefined;
  } catch {
    return undefined;
  }
}
