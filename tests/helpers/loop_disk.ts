import { join } from "@std/path";
import { freeBytes } from "../../sync/host/disk_space.ts";
import { writeAll } from "../../sync/host/files.ts";
import { succeeds } from "./has_program.ts";
import { TempDir } from "./temp_dir.ts";

/** Options for {@linkcode LoopDisk.mount}. */
export interface LoopDiskOptions {
  /** How large it is, in MiB; its image is sparse. */
  sizeMib: number;
  /** The program that makes its file system, with its arguments. */
  mkfs: readonly [program: string, ...args: string[]];
  /** Further options of `mount`. */
  options?: readonly string[];
}

/** A disk whose files can share bytes: an XFS, which has 300 MiB at least. */
export const REFLINK_DISK: LoopDiskOptions = {
  sizeMib: 320,
  mkfs: ["mkfs.xfs", "-q", "-m", "reflink=1"],
};

/** A disk that the system makes read-only at its first error, no part of it for root alone. */
export function failingDisk(blockBytes = 4096): LoopDiskOptions {
  return {
    sizeMib: 64,
    mkfs: ["mkfs.ext4", "-q", "-m", "0", "-b", `${blockBytes}`],
    options: ["errors=remount-ro"],
  };
}

/** A disk in a file, mounted until the end of the scope. */
export class LoopDisk implements AsyncDisposable {
  readonly #dir = new TempDir();

  /** Whether this user may mount one, and `works` is true of it. */
  static async canMount(
    options: LoopDiskOptions,
    works: (disk: LoopDisk) => boolean | Promise<boolean> = () => true,
  ): Promise<boolean> {
    await using disk = await LoopDisk.mount(options);
    return disk !== undefined && await works(disk);
  }

  /** Mounts one, or returns `undefined` where that is not possible. */
  static async mount(
    { sizeMib, mkfs: [program, ...args], options = [] }: LoopDiskOptions,
  ): Promise<LoopDisk | undefined> {
    const disk = new LoopDisk();
    const image = disk.#dir.write("image", "");
    Deno.truncateSync(image, sizeMib * 1024 * 1024);
    Deno.mkdirSync(disk.path);
    const mountOptions = ["loop", ...options].join();
    const isMounted = await succeeds(program, [...args, image]) &&
      await succeeds("mount", ["-o", mountOptions, image, disk.path]);
    if (isMounted) return disk;
    await disk.#dir[Symbol.asyncDispose]();
  }

  get path(): string {
    return this.#dir.join("disk");
  }

  /** How many bytes it has left. */
  async freeBytes(): Promise<number> {
    // Until then some of the data written before take no room.
    await succeeds("sync", ["-f", this.path]);
    return freeBytes(this.path);
  }

  /** Fills it but for so many bytes, or a little less. */
  async fill(leftBytes: number): Promise<void> {
    using file = Deno.openSync(join(this.path, "filling"), {
      create: true,
      append: true,
    });
    writeAll(file, new Uint8Array(await this.freeBytes() - leftBytes));
    file.syncSync();
  }

  /** Has an error happen to an ext4; returns whether it is read-only then. */
  async fail(): Promise<boolean> {
    const script =
      'echo 1 > "/sys/fs/ext4/$(basename "$(findmnt -no SOURCE "$0")")/trigger_fs_error"; ! touch "$0/file"';
    return await succeeds("sh", ["-c", script, this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Lazily: whoever still looks into it does not hold it up.
    await succeeds("umount", ["-l", this.path]);
    await this.#dir[Symbol.asyncDispose]();
  }
}
