import { projectPath } from "../../scripts/task/bindings.ts";
import { cliCommand } from "../helpers/cli.ts";
import { TempDir } from "../helpers/temp_dir.ts";
import { copyTree } from "../helpers/folders.ts";

/** A change to the program's source. */
export interface Edit {
  /** A path inside the project. */
  file: string;
  /** Must occur exactly once. */
  find: string;
  replace: string;
}

/** The parts that are copied, so that an edit in the project does not reach a run under way. */
const PARTS = ["main.ts", "deno.json", "sync"];

/** The program from source, as it is now, or with something in it changed. */
export class Program implements AsyncDisposable {
  readonly #dir: TempDir;

  private constructor(dir: TempDir) {
    this.#dir = dir;
  }

  /**
   * Copies the program.
   *
   * @throws {Error} if an edit does not match the source any more.
   */
  static copy(edits: readonly Edit[] = []): Program {
    const dir = new TempDir();
    for (const part of PARTS) copyTree(projectPath(part), dir.join(part));
    for (const { file, find, replace } of edits) {
      const path = dir.join(file);
      const parts = Deno.readTextFileSync(path).split(find);
      if (parts.length !== 2) {
        throw new Error(
          `Cannot edit "${file}": expected ${
            JSON.stringify(find)
          } once, found it ${parts.length - 1} times`,
        );
      }
      Deno.writeTextFileSync(path, parts.join(replace));
    }
    return new Program(dir);
  }

  /** The command that runs it, in a clean environment but for `env`. */
  command(args: string[], env: Record<string, string> = {}): Deno.Command {
    return cliCommand(args, { env, main: this.#dir.join("main.ts") });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dir[Symbol.asyncDispose]();
  }
}
