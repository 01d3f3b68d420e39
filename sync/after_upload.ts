import { basename, extname, join } from "@std/path";
import { createPrivateDir, syncDir } from "./data_dir.ts";
import { regularFile, sidecarOf } from "./sidecar.ts";

/** What becomes of a watched file once it is delivered. */
export type AfterUpload =
  | { kind: "keep" }
  | { kind: "delete" }
  | { kind: "move"; dir: string };

/**
 * Deletes or moves a delivered file and its sidecar, if the file is still the
 * one that was sent. A file that is another one by now stays.
 */
export function tidyUp(
  path: string,
  sent: { size: number; mtimeMs: number },
  policy: AfterUpload,
): void {
  if (policy.kind === "keep") return;
  const info = regularFile(path);
  const same = info?.size === sent.size &&
    info.mtime?.getTime() === sent.mtimeMs;
  if (!same) return;
  // The sidecar first: alone it would count as a capture.
  for (const name of [sidecarOf(path), path]) {
    if (!regularFile(name)) continue;
    if (policy.kind === "delete") Deno.removeSync(name);
    else move(name, policy.dir);
  }
}

function move(path: string, dir: string): void {
  createPrivateDir(dir);
  const target = freeName(dir, basename(path));
  try {
    Deno.renameSync(path, target);
  } catch {
    // Another file system: the original goes only when the copy is on the disk.
    Deno.copyFileSync(path, target);
    using copy = Deno.openSync(target, { read: true });
    copy.syncSync();
    syncDir(dir);
    Deno.removeSync(path);
  }
}

/** A name in the folder that nothing has yet. */
function freeName(dir: string, name: string): string {
  const extension = extname(name);
  const stem = name.slice(0, name.length - extension.length);
  let target = join(dir, name);
  for (let n = 2; exists(target); n++) {
    target = join(dir, `${stem} (${n})${extension}`);
  }
  return target;
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}
