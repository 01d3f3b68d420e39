import { projectPath } from "../../scripts/bindings.ts";

/** A wall clock that can be set, for the programs that run with its environment. */
export class Clock {
  readonly #path: string;
  readonly #library: string;

  private constructor(path: string, library: string) {
    this.#path = path;
    this.#library = library;
    Deno.writeFileSync(path, new Uint8Array(8));
  }

  /** Makes one in a folder, or returns `undefined` where that cannot be done. */
  static async make(dir: string): Promise<Clock | undefined> {
    const library = `${dir}/clock.so`;
    const source = projectPath("tests/chaos/clock.c");
    if (!await compileLibrary(source, library)) return undefined;
    return new Clock(`${dir}/clock`, library);
  }

  get env(): Record<string, string> {
    return { LD_PRELOAD: this.#library, CHAOS_CLOCK: this.#path };
  }

  /** Sets the clock so many seconds ahead of the true time, or behind it. */
  set(offsetS: number): void {
    const bytes = new Uint8Array(new BigInt64Array([BigInt(offsetS)]).buffer);
    // Not truncated in between: it is mapped by programs that run.
    using file = Deno.openSync(this.#path, { write: true });
    file.writeSync(bytes);
  }
}

/** Compiles a C file to a library that can be preloaded; returns whether that can be done here. */
export async function compileLibrary(
  source: string,
  library: string,
): Promise<boolean> {
  if (Deno.build.os !== "linux") return false;
  const args = ["-shared", "-fPIC", "-O1", "-Wall", "-o", library, source];
  try {
    const { success, stderr } = await new Deno.Command("cc", {
      args: [...args, "-ldl"],
      stderr: "piped",
    }).output();
    if (success) return true;
    throw new Error(
      `Cannot compile "${source}": ${new TextDecoder().decode(stderr)}`,
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
