import { join } from "@std/path";
import { type Ended, endOf } from "../../helpers/cli.ts";
import { ControlGroup } from "./control_group.ts";
import { eventually } from "../../helpers/eventually.ts";
import { TempDir } from "../../helpers/temp_dir.ts";

/**
 * The script that starts a systemd user manager where there is none, and runs a
 * command under it; `undefined` where nobody names one.
 */
export const managerScript: string | undefined =
  Deno.env.get("JARVIS_USER_SYSTEMD") || undefined;

if (!managerScript) {
  console.error(
    "Skipped, no user manager here: JARVIS_USER_SYSTEMD names no script that runs a command under one",
  );
}

/** A real systemd user manager, with a home of its own whose path is not the simplest. */
export class UserManager implements AsyncDisposable {
  readonly #dir: TempDir;
  readonly #group: ControlGroup;
  readonly #child: Deno.ChildProcess;
  /** The environment of whoever is logged in. */
  readonly env: Readonly<Record<string, string>>;

  private constructor(
    parts: { dir: TempDir; group: ControlGroup; child: Deno.ChildProcess },
    env: Record<string, string>,
  ) {
    this.#dir = parts.dir;
    this.#group = parts.group;
    this.#child = parts.child;
    this.env = env;
  }

  /** Starts one; it is gone, with everything it started, at the end of the scope. */
  static async start(): Promise<UserManager> {
    const dir = new TempDir();
    const above = dir.join("a b $HOME 100%");
    Deno.mkdirSync(above);
    const file = dir.join("env");
    const group = new ControlGroup();
    const [program, ...args] = group.command("unshare", [
      // As on a machine that was booted by systemd; credentials depend on it.
      ...["--mount", "--propagation", "shared", managerScript!],
      ...["sh", "-c", 'env -0 > "$0.tmp"; mv "$0.tmp" "$0"; exec cat', file],
    ]);
    const child = new Deno.Command(program!, {
      args,
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH")!, TMPDIR: above },
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const text = await eventually("the manager runs", () => readIfThere(file));
    const env = Object.fromEntries(
      text.split("\0").filter(Boolean).map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
    );
    return new UserManager({ dir, group, child }, env);
  }

  /** A path in the user's home. */
  home(...names: string[]): string {
    return join(this.env.HOME!, ...names);
  }

  /** Writes a file in the user's home and returns its path. */
  write(name: string, content: string): string {
    const path = this.home(name);
    Deno.mkdirSync(join(path, ".."), { recursive: true });
    Deno.writeTextFileSync(path, content);
    return path;
  }

  /** Runs a program as the user does, and waits for its end. */
  async run(
    program: string,
    args: string[],
    env: Record<string, string> = {},
  ): Promise<Ended> {
    return await endOf(
      new Deno.Command(program, {
        args,
        cwd: this.home(),
        clearEnv: true,
        env: { ...this.env, ...env },
        stdin: "null",
      }),
    );
  }

  /** Runs `systemctl --user`. */
  systemctl(...args: string[]): Promise<Ended> {
    return this.run("systemctl", ["--user", ...args]);
  }

  /** One property of a unit. */
  async property(unit: string, name: string): Promise<string> {
    const { stdout } = await this.systemctl(
      "show",
      unit,
      `--property=${name}`,
      "--value",
    );
    return stdout.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#child.status;
    this.#group[Symbol.dispose]();
    await this.#dir[Symbol.asyncDispose]();
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
