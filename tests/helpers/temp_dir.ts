import { join } from "@std/path";

/** A folder of a test's own, removed with everything in it. */
export class TempDir implements AsyncDisposable {
  readonly path: string;

  /** @param dir Where it is; by default where the system keeps such folders. */
  constructor(dir?: string) {
    this.path = Deno.makeTempDirSync({
      prefix: "jarvis-test-",
      ...(dir && { dir }),
    });
  }

  /** A path inside it. */
  join(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** Writes a file inside it and returns its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = this.join(name);
    Deno.mkdirSync(join(path, ".."), { recursive: true });
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true }).catch(() => {});
  }
}
