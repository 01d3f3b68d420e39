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
  static async mount(): Promise<FailingDisk | undefined> {
    const disk = new FailingDisk();
    const image = disk.#dir.write("image", "");
    Deno.truncateSync(image, SIZE_MIB * 1024 * 1024);
    Deno.mkdirSync(disk.path);
    const options = "loop,errors=remount-ro";
    const isMounted = await succeeds("mkfs.ext4", ["-q", image]) &&
      await succeeds("mount", ["-o", options, image, disk.path]);
    if (isMounted) return disk;
    await disk.#dir[Symbol.asyncDispose]();
  }

  get path(): string {
    return this.#dir.join("disk");
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
