import { succeeds } from "./has_program.ts";
import { TempDir } from "./temp_dir.ts";

/** How large an XFS is at least, in MiB; the image is sparse. */
const SIZE_MIB = 320;

/** A disk whose files can share bytes, mounted until the end of the scope. */
export class ReflinkDisk implements AsyncDisposable {
  readonly #dir: TempDir;

  private constructor(dir: TempDir) {
    this.#dir = dir;
  }

  /** Whether this user may mount one, and it can be made. */
  static async canMount(): Promise<boolean> {
    await using disk = await ReflinkDisk.mount();
    return disk !== undefined;
  }

  /** Mounts one, or returns `undefined` where that is not possible. */
  static async mount(): Promise<ReflinkDisk | undefined> {
    const dir = new TempDir();
    const disk = new ReflinkDisk(dir);
    const image = dir.write("image", "");
    Deno.truncateSync(image, SIZE_MIB * 1024 * 1024);
    Deno.mkdirSync(disk.path);
    const isMounted =
      await succeeds("mkfs.xfs", ["-q", "-m", "reflink=1", image]) &&
      await succeeds("mount", ["-o", "loop", image, disk.path]);
    if (isMounted) return disk;
    await dir[Symbol.asyncDispose]();
  }

  get path(): string {
    return this.#dir.join("disk");
  }

  /** How many bytes it has left. */
  async freeBytes(): Promise<number> {
    await succeeds("sync", ["-f", this.path]);
    const { stdout } = await new Deno.Command("df", {
      args: ["--output=avail", "-B1", this.path],
    }).output();
    return Number(new TextDecoder().decode(stdout).split("\n")[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await succeeds("umount", [this.path]);
    await this.#dir[Symbol.asyncDispose]();
  }
}
