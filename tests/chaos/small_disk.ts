import { join } from "@std/path";
import { succeeds } from "../helpers/has_program.ts";

/** How long the effects of a full disk may take to show, in milliseconds. */
const MOMENT_MS = 3000;

/** A disk of its own, mounted until the end of the scope. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;
  readonly #ballast: string;
  #fullUntil = -Infinity;

  private constructor(path: string) {
    this.path = path;
    this.#ballast = join(path, "ballast");
  }

  /** Whether this user may mount one. */
  static async canMount(): Promise<boolean> {
    const dir = Deno.makeTempDirSync({ prefix: "jarvis-test-" });
    try {
      await using disk = await SmallDisk.mount(dir, 1);
      return disk !== undefined;
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  }

  /**
   * Mounts one at an existing folder, or returns `undefined` where that is not allowed.
   *
   * @param options How many `inodes` it has, 0 for no limit.
   */
  static async mount(
    dir: string,
    sizeMib: number,
    { inodes = 0 }: { inodes?: number } = {},
  ): Promise<SmallDisk | undefined> {
    if (Deno.build.os !== "linux") return undefined;
    const options = `size=${sizeMib}m,nr_inodes=${inodes},mode=700`;
    const args = ["-t", "tmpfs", "-o", options, "tmpfs", dir];
    return await succeeds("mount", args) ? new SmallDisk(dir) : undefined;
  }

  /** Whether it is full, or was a moment ago. */
  get isShortOfRoom(): boolean {
    return performance.now() - this.#fullUntil < MOMENT_MS;
  }

  /** Writes until nothing fits any more. */
  fill(): void {
    this.#fullUntil = Infinity;
    using file = Deno.openSync(this.#ballast, { create: true, append: true });
    for (let size = 1024 * 1024; size >= 1;) {
      try {
        file.writeSync(new Uint8Array(size));
      } catch {
        size = Math.floor(size / 2);
      }
    }
  }

  /** Uses up all inodes, and returns the paths of the files that have them. */
  useInodes(): string[] {
    const paths: string[] = [];
    try {
      for (;;) {
        const path = join(this.path, `filler-${paths.length}`);
        Deno.createSync(path).close();
        paths.push(path);
      }
    } catch {
      return paths;
    }
  }

  /** Makes room again. */
  free(): void {
    try {
      Deno.removeSync(this.#ballast);
      this.#fullUntil = performance.now();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Lazily: whoever still looks into it does not hold it up.
    await succeeds("umount", ["-l", this.path]);
  }
}
