import { basename, join } from "@std/path";
import { succeeds } from "../helpers/has_program.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { SmallDisk } from "./small_disk.ts";

/** The disks and folders of one round, removed with everything in them. */
export class HostDisks implements AsyncDisposable {
  /** The agent's. */
  readonly data: string;
  /** Where programs make captures. */
  readonly makers: string;
  /** The same on another disk, if that can be had: from there nothing can be moved. */
  readonly elsewhere: string;
  readonly watched: string;
  /** The server's. */
  readonly received: string;
  /** The disk of the data directory, if it is a small one of its own. */
  readonly small: SmallDisk | undefined;
  readonly #dir: TempDir;
  readonly #other: SmallDisk | undefined;
  /** The folders of it that are shown below the watched one. */
  readonly #mounted = new Set<string>();
  /** Those that were taken out again. */
  readonly #away = new Set<string>();

  private constructor(
    dir: TempDir,
    small: SmallDisk | undefined,
    other: SmallDisk | undefined,
  ) {
    this.#dir = dir;
    this.small = small;
    this.#other = other;
    this.data = join(small?.path ?? dir.path, "data");
    this.makers = folder(dir, "makers");
    this.elsewhere = other?.path ?? this.makers;
    this.watched = folder(dir, "watched");
    this.received = folder(dir, "received");
  }

  /** @param isSmall Whether the agent's disk is a small one. */
  static async make(isSmall: boolean): Promise<HostDisks> {
    const dir = new TempDir();
    const other = await SmallDisk.mount(folder(dir, "other"), 512);
    const small = isSmall
      ? await SmallDisk.mount(folder(dir, "small"), 96)
      : undefined;
    return new HostDisks(dir, small, other);
  }

  /** Whether a folder that was shown is not shown now. */
  get areAway(): boolean {
    return this.#away.size > 0;
  }

  /** Shows a folder of the other disk below the watched one, by its own name. */
  async mount(folder: string): Promise<void> {
    this.#away.delete(folder);
    const at = join(this.watched, basename(folder));
    Deno.mkdirSync(at, { recursive: true });
    this.#mounted.add(folder);
    await succeeds("mount", ["--bind", folder, at]);
  }

  async unmount(folder: string): Promise<void> {
    this.#away.add(folder);
    this.#mounted.delete(folder);
    // Lazily: whoever looks into it just now does not hold it up.
    await succeeds("umount", ["-l", join(this.watched, basename(folder))]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.#mounted) await this.unmount(folder);
    await this.small?.[Symbol.asyncDispose]();
    await this.#other?.[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }
}

function folder(dir: TempDir, name: string): string {
  Deno.mkdirSync(dir.join(name));
  return dir.join(name);
}
