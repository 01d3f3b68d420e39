import { dirname, join, resolve, SEPARATOR } from "@std/path";
import { tryTo } from "./try_to.ts";

/** As many as the system follows. */
const MAX_LINKS = 40;
/** The owner that files of other users seem to have where users are private, as in systemd's unit. */
const NOBODY = 65534;

/**
 * Makes sure that no symbolic link of another user is on the way to a path, the path
 * itself included: whoever may write to a folder on the way could redirect reads,
 * writes and removals. Links of this user and of root are followed. A path that does
 * not exist is no objection.
 *
 * @returns the path to which they lead, which had no link in it: the way may have
 * changed since, so go there without following any.
 * @throws {Error} which names the link and its owner.
 */
export function followOwnLinks(path: string): string {
  if (Deno.build.os === "windows") return path;
  const names = resolve(path).split(SEPARATOR);
  let [at, links] = ["/", 0];
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const next = join(at, name);
    // If it cannot be looked at, whoever goes there is told why.
    const info = tryTo(() => Deno.lstatSync(next));
    if (!info?.isSymlink) {
      at = next;
      continue;
    }
    const target = Deno.readLinkSync(next);
    if (!isOurs(info, at)) {
      throw new Error(
        `"${next}" is a symbolic link of user ${info.uid} to "${target}", expected one of this user or of root; name what it leads to if that is meant`,
      );
    }
    if (++links > MAX_LINKS) throw new Error(`"${path}" has too many links`);
    names.unshift(...resolve(at, target).split(SEPARATOR));
    at = "/";
  }
  return at;
}

/** Whether nobody but this user and root can have made a link. */
function isOurs({ uid }: Deno.FileInfo, folder: string): boolean {
  if ([Deno.uid(), 0, null].includes(uid)) return true;
  // Root looks like everybody else then: its are where nobody else may write.
  return uid === NOBODY && foldersTo(folder).every((path) => {
    const { uid: owner, mode } = Deno.lstatSync(path);
    return owner === NOBODY && ((mode ?? 0) & 0o022) === 0;
  });
}

/** A path and all folders above it. */
export function foldersTo(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [path] : [path, ...foldersTo(parent)];
}
