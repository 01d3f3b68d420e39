import { join } from "@std/path";
import { exists } from "../../sync/host/files.ts";
import { Random } from "../helpers/random.ts";
import { sha256Of } from "../../sync/host/sha256.ts";

/** Which of the data that were not synced survive a power cut. */
export type Survival =
  /** None of it. */
  | "synced"
  /** Every name, but of the bytes only those that were synced. */
  | "names"
  /** Of each directory the names, and of each file the bytes, or not. */
  | { mixed: number };

/**
 * A folder that can be put into each state that a power cut could leave it in.
 *
 * Synced data survive: a file's bytes, and a directory's names, as they were when that
 * file or directory itself was last synced. Of the rest anything may survive, each
 * directory and each file by itself; but a file's bytes since its last sync survive
 * all or none, as do a directory's names. The name of a new file is not kept by
 * syncing the file. A file that was never synced is empty. POSIX promises this much;
 * ext4 keeps a little more: there, syncing a new file keeps its name as well.
 */
export class ShadowedDisk {
  readonly #root: string;
  readonly #library: string;
  readonly #synced: string;
  readonly #now: string;
  /** Links to files, by their inodes. */
  readonly #kept: string;

  private constructor(root: string, library: string, shadow: string) {
    this.#root = root;
    this.#library = library;
    this.#synced = join(shadow, "synced");
    this.#now = join(shadow, "now");
    this.#kept = join(shadow, "kept");
  }

  /**
   * Begins to shadow a folder. Everything in it by now survives.
   *
   * @param options A file in the folder `keep` that survives keeps its inode, as on
   * a real disk.
   */
  static async begin(
    root: string,
    options: { library: string; shadow: string; keep: string },
  ): Promise<ShadowedDisk> {
    const disk = new ShadowedDisk(root, options.library, options.shadow);
    await disk.#shadowAll(disk.#synced);
    Deno.mkdirSync(disk.#kept);
    for (const { name } of Deno.readDirSync(options.keep)) {
      const path = join(options.keep, name);
      Deno.linkSync(path, join(disk.#kept, String(Deno.statSync(path).ino)));
    }
    return disk;
  }

  /**
   * The environment of a program on this disk. Every one needs it: the syncs of
   * another would go unseen.
   *
   * @param cutAt The program is killed just before its sync of this number.
   */
  env(cutAt?: number): Record<string, string> {
    const env = this.#env(this.#synced);
    return cutAt === undefined ? env : { ...env, POWER_CUT_AT: String(cutAt) };
  }

  /** Cuts the power: data that are there now may survive, later ones do not. */
  cut(): Promise<void> {
    return this.#shadowAll(this.#now);
  }

  /**
   * Puts the data that have survived {@linkcode ShadowedDisk.cut} into the folder, and
   * removes all others. A file that has the same data already keeps its inode.
   */
  survive(survival: Survival): void {
    const random = new Random(
      typeof survival === "object" ? survival.mixed : 0,
    );
    const choices = new Map<string, boolean>();
    const isLucky = (key: string, kind: string): boolean => {
      if (survival === "synced") return false;
      if (survival === "names") return kind === "names";
      const known = choices.get(key) ?? random.chance(0.5);
      choices.set(key, known);
      return known;
    };
    const read = (key: string, kind: "names" | "data"): string | undefined => {
      const shadows = isLucky(key, kind)
        ? [this.#now, this.#synced]
        : [this.#synced];
      return shadows.map((dir) => join(dir, `${key}.${kind}`)).find(exists);
    };
    const key = Deno.readTextFileSync(join(this.#synced, "root"));
    build(key, this.#root, { read, kept: this.#kept });
  }

  #env(shadow: string): Record<string, string> {
    return {
      LD_PRELOAD: this.#library,
      POWER_CUT_ROOT: this.#root,
      POWER_CUT_SHADOW: shadow,
    };
  }

  async #shadowAll(shadow: string): Promise<void> {
    await Deno.remove(shadow, { recursive: true }).catch(() => {});
    Deno.mkdirSync(shadow, { recursive: true });
    const { success, stderr } = await new Deno.Command("true", {
      env: { ...this.#env(shadow), POWER_CUT_ALL: "1" },
      stderr: "piped",
    }).output();
    if (success) return;
    throw new Error(
      `Cannot shadow "${this.#root}": ${new TextDecoder().decode(stderr)}`,
    );
  }
}

/** Builds the directory with this key, and all below it. */
function build(
  key: string,
  to: string,
  from: {
    read: (key: string, kind: "names" | "data") => string | undefined;
    kept: string;
  },
): void {
  const names = from.read(key, "names");
  const lines = names === undefined ? "" : Deno.readTextFileSync(names);
  const entries = lines.split("\n").filter(Boolean).map((line) => {
    const [, kind, childKey = "", name = ""] = /^(.) (\S+) (.*)$/.exec(line)!;
    return { isFolder: kind === "d", childKey, name };
  });
  for (const { name, isDirectory } of [...Deno.readDirSync(to)]) {
    const stays = entries
      .some((entry) => entry.name === name && entry.isFolder === isDirectory);
    if (!stays) Deno.removeSync(join(to, name), { recursive: true });
  }
  for (const { isFolder, childKey, name } of entries) {
    const path = join(to, name);
    if (!isFolder) {
      const kept = join(from.kept, childKey.split("-")[0]!);
      buildFile(path, { data: from.read(childKey, "data"), kept });
      continue;
    }
    if (!exists(path)) Deno.mkdirSync(path, { mode: 0o700 });
    build(childKey, path, from);
  }
}

function buildFile(
  path: string,
  { data, kept }: { data: string | undefined; kept: string },
): void {
  const bytes = data ? Deno.readFileSync(data) : new Uint8Array();
  const mtime = data ? Deno.statSync(data).mtime : null;
  const isIt = (file: string) =>
    exists(file) &&
    Deno.statSync(file).mtime?.getTime() === mtime?.getTime() &&
    sha256Of(Deno.readFileSync(file)) === sha256Of(bytes);
  if (isIt(path)) return;
  if (exists(path)) Deno.removeSync(path);
  if (isIt(kept)) return Deno.linkSync(kept, path);
  Deno.writeFileSync(path, bytes);
  if (mtime) Deno.utimeSync(path, mtime, mtime);
}
