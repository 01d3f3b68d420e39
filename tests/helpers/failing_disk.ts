import { join } from "@std/path";
import { freeBytes } from "../../sync/host/disk_space.ts";
import { writeAll } from "../../sync/host/files.ts";
import { succeeds } from "./has_program.ts";
import { TempDir } from "./temp_dir.ts";

const SIZE_MIB = 64;

/** A disk that the system makes read-only at its first error, mounted until the end of the scope. */
export class FailingDisk implements AsyncDisposable {
  readonly #dir = new TempDir();

  /** Whether this user may mount one, and have it fail. */
  static async canMount(): Promise<boolean> {
    await using disk = await FailingDisk.mount();
    return await disk?.fail() ?? false;
  }

  /** Mounts one, or returns `undefined` where that is not possible. */
  static async mount(
    { blockBytes = 4096 }: { blockBytes?: number } = {},
  ): Promise<FailingDisk | undefined> {
    const disk = new FailingDisk();
    const image = disk.#dir.write("image", "");
    Deno.truncateSync(image, SIZE_MIB * 1024 * 1024);
    Deno.mkdirSync(disk.path);
    const options = "loop,errors=remount-ro";
    // No part of it is for root alone.
    const made = ["-q", "-m", "0", "-b", `${blockBytes}`, image];
    const isMounted = await succeeds("mkfs.ext4", made) &&
      await succeeds("mount", ["-o", options, image, disk.path]);
    if (isMounted) return disk;
    await disk.#dir[Symbol.asyncDispose]();
  }

  get path(): string {
    return this.#dir.join("disk");
  }

  /** Fills it but for so many bytes, or a little less. */
  async fill(leftBytes: number): Promise<void> {
    using file = Deno.openSync(join(this.path, "filling"), {
      create: true,
      append: true,
    });
    // Until then some of what was written before takes no room.
    await succeeds("sync", ["-f", this.path]);
    const bytes = new Uint8Array(freeBytes(this.path) - leftBytes);
    writeAll(file, bytes);
    file.syncSync();
  }

  /** Has an error happen; returns whether it is read-only then. */
  async fail(): Promise<boolean> {
    const script =
      'echo 1 > "/sys/fs/ext4/$(basename "$(findmnt -no SOURCE "$0")")/trigger_fs_error"; ! touch "$0/file"';
    return await succeeds("sh", ["-c", script, this.path]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await succeeds("umount", ["-l", this.path]);
    await this.#dir[Symbol.asyncDispose]();
  }
}
