import { join } from "@std/path";
import {
  bindingFlags,
  projectPath,
  runningBinding,
} from "../../scripts/task/bindings.ts";
import { type Ended, endOf, RunningCli } from "./cli.ts";

/** The real executable, or why there is none. */
export type Built =
  | { path: string; reason?: undefined }
  | { path?: undefined; reason: string };

/** Options for {@linkcode runExecutable} and {@linkcode startExecutable}. */
export interface ExecutableOptions {
  /** Its whole environment. */
  env?: Record<string, string>;
}

/** Runs the compile script to its end. */
export async function runCompile(
  args: string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  const script = projectPath("scripts/build/compile.ts");
  return await endOf(
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", ...bindingFlags(), script, ...args],
      env,
    }),
  );
}

/** With JSR's dependencies, builds in tests take this SQLite instead of a download. */
export function sqliteLibFlags(): string[] {
  const path = Deno.env.get("DENO_SQLITE_PATH");
  return runningBinding() === "jsr" && path ? ["--sqlite-lib", path] : [];
}

/**
 * Returns the executable that `JARVIS_EXECUTABLE` names, or builds one for this
 * system, for the life of this process. Where that cannot be done here the
 * reason says why, for a test's name.
 */
export async function buildExecutable(): Promise<Built> {
  const named = Deno.env.get("JARVIS_EXECUTABLE");
  if (named) return { path: named };
  const dir = Deno.makeTempDirSync({ prefix: "jarvis-test-" });
  addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
  const extension = Deno.build.os === "windows" ? ".exe" : "";
  const path = join(dir, `jarvis-agent${extension}`);
  const { code, stderr } = await runCompile([
    "--output",
    path,
    ...sqliteLibFlags(),
  ]);
  if (code === 0) return { path };
  const reason = stderr.trim().split("\n").at(-1)!;
  // What a build that fails in any other way shows is a defect.
  const outOfReach = /DENORT_BIN|^\S* ?Cannot download /.test(reason);
  if (!outOfReach) throw new Error(stderr);
  console.error(`Skipped, no executable here: ${reason}`);
  return { reason };
}

/** Runs the executable to its end, with nothing in its environment but what is given. */
export async function runExecutable(
  path: string,
  args: string[],
  options: ExecutableOptions = {},
): Promise<Ended> {
  return await endOf(command(path, args, options));
}

/** Starts the executable; it is killed at the end of the scope. */
export function startExecutable(
  path: string,
  args: string[],
  options: ExecutableOptions = {},
): RunningCli {
  return new RunningCli(command(path, args, options).spawn());
}

function command(
  path: string,
  args: string[],
  { env = {} }: ExecutableOptions,
): Deno.Command {
  return new Deno.Command(path, {
    args,
    clearEnv: true,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}
