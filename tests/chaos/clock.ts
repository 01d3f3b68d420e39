import { projectPath } from "../../scripts/task/bindings.ts";
import { canCompile, compileLibrary } from "../helpers/compile_library.ts";

/** A wall clock that can be set, for the programs that run with its environment. */
export class Clock {
  readonly #path: string;
  readonly #library: string;
  /** How many seconds it is ahead of the true time, by which files get their times. */
  offsetS = 0;

  private constructor(path: string, library: string) {
    this.#path = path;
    this.#library = library;
    Deno.writeFileSync(path, new Uint8Array(8));
  }

  /** Makes one in a folder, or returns `undefined` where that cannot be done. */
  static async make(dir: string): Promise<Clock | undefined> {
    const library = `${dir}/clock.so`;
    const source = projectPath("tests/chaos/clock.c");
    if (!await canCompile()) return undefined;
    await compileLibrary(source, library);
    return new Clock(`${dir}/clock`, library);
  }

  get env(): Record<string, string> {
    return { LD_PRELOAD: this.#library, CHAOS_CLOCK: this.#path };
  }

  /** Sets the clock so many seconds ahead of the true time, or behind it. */
  set(offsetS: number): void {
    this.offsetS = offsetS;
    const bytes = new Uint8Array(new BigInt64Array([BigInt(offsetS)]).buffer);
    // Not truncated in between: it is mapped by programs that run.
    using file = Deno.openSync(this.#path, { write: true });
    file.writeSync(bytes);
  }
}
