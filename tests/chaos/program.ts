import { bindingFlags, projectPath } from "../../scripts/task/bindings.ts";
import { PERMISSIONS } from "../../scripts/build/permissions.ts";
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

/** What is copied, so that an edit in the project does not reach a run under way. */
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
    return new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        ...bindingFlags(),
        ...PERMISSIONS,
        this.#dir.join("main.ts"),
        ...args,
      ],
      clearEnv: true,
      env: { ...inherited(), ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dir[Symbol.asyncDispose]();
  }
}

/** What a program needs to start at all, and what chooses its SQLite. */
export function inherited(): Record<string, string> {
  const names = ["PATH", "HOME", "DENO_DIR", "JSR_URL", "DENO_SQLITE_PATH"];
  return Object.fromEntries(
    names.map((name) => [name, Deno.env.get(name)] as const)
      .filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
