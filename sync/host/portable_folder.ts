import { dirname, join } from "@std/path";
import { syncDir } from "./data_dir.ts";
import type { Folder, FolderEntry, FolderIdentity } from "./folder.ts";
import {
  type FileIdentity,
  isSameVersion,
  type OpenedFile,
  openRegularFile,
  portableIdentity,
} from "./opened_file.ts";

/** A folder by its path, with what Deno has on every system. */
export class PortableFolder implements Folder {
  readonly path: string;
  readonly identity: FolderIdentity;

  constructor(path: string, { noFollow = false } = {}) {
    const info = noFollow ? Deno.lstatSync(path) : Deno.statSync(path);
    if (!info.isDirectory) throw new Error(`Cannot open "${path}": no folder`);
    this.path = path;
    this.identity = {
      folderId: portableIdentity(info).fileId,
      birthtimeMs: info.birthtime?.getTime() ?? null,
      uid: info.uid,
    };
  }

  openFile(name: string): OpenedFile {
    return openRegularFile(this.#below(name), { noFollow: true });
  }

  look(name: string): ReturnType<Folder["look"]> {
    try {
      const info = Deno.lstatSync(this.#below(name));
      return { ...portableIdentity(info), kind: portableKind(info) };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  openFolder(name: string): Folder {
    // With a part after it, so that it may not be a link either.
    return new PortableFolder(this.#below(`${name}/.`));
  }

  *list(): Generator<FolderEntry[]> {
    this.#assertSame();
    let entries: FolderEntry[] = [];
    for (const entry of Deno.readDirSync(this.path)) {
      const { name } = entry;
      const isUtf8 = !name.includes("\ufffd");
      entries.push({ name, kind: portableKind(entry), isUtf8 });
      if (entries.length < 500) continue;
      yield entries;
      entries = [];
    }
    if (entries.length > 0) yield entries;
  }

  remove(name: string, expected: FileIdentity): boolean {
    const path = this.#below(name);
    const info = this.look(name);
    if (info?.kind !== "file" || !isSameVersion(info, expected)) return false;
    Deno.removeSync(path);
    syncDir(dirname(path));
    return true;
  }

  move(
    name: string,
    { to, as, expected }: { to: Folder; as: string; expected: FileIdentity },
  ): boolean {
    const info = this.look(name);
    if (info?.kind !== "file" || !isSameVersion(info, expected)) return false;
    if (to.look(as)) {
      throw Object.assign(new Deno.errors.AlreadyExists(as), {
        code: "EEXIST",
      });
    }
    const path = this.#below(name);
    Deno.renameSync(path, join(to.path, as));
    [to.path, dirname(path)].forEach(syncDir);
    return true;
  }

  /** @throws {Error} if a link is on the way, or the name leads elsewhere. */
  #below(name: string): string {
    this.#assertSame();
    const parts = name.split(/[\\/]/);
    if (parts.includes("..")) {
      throw new Error(`Cannot use "${name}": it is outside "${this.path}"`);
    }
    for (let n = 1; n < parts.length; n++) {
      const parent = join(this.path, ...parts.slice(0, n));
      if (Deno.lstatSync(parent).isDirectory) continue;
      throw new Error(`Cannot use "${parent}": expected a folder, not a link`);
    }
    return join(this.path, name);
  }

  /** @throws {Error} if something else has taken the folder's own name. */
  #assertSame(): void {
    const { fileId } = portableIdentity(Deno.statSync(this.path));
    if (fileId === this.identity.folderId) return;
    throw new Error(`Cannot use "${this.path}": it is another folder now`);
  }

  [Symbol.dispose](): void {}
}

function portableKind(
  info: Pick<Deno.DirEntry, "isFile" | "isDirectory" | "isSymlink">,
): FolderEntry["kind"] {
  if (info.isSymlink) return "link";
  return info.isFile ? "file" : info.isDirectory ? "folder" : "other";
}
