import { runCommandLine } from "../../sync/cli/cli.ts";
import type { Surroundings } from "../../sync/cli/command.ts";
import type { Ended } from "./cli.ts";

/** What a program in this process has around it, and what it says to it. */
export function around(env: Record<string, string>): {
  surroundings: Surroundings;
  said: { stdout: string; stderr: string };
} {
  const said = { stdout: "", stderr: "" };
  return {
    said,
    surroundings: {
      out: (line, end = "\n") => said.stdout += line + end,
      err: (line) => said.stderr += `${line}\n`,
      env: (name) => env[name],
      envNames: () => Object.keys(env),
      stopSignal: () => new AbortController().signal,
      onReload() {},
    },
  };
}

/** Runs one command line in this process, with no variables but those given. */
export async function runInProcess(
  args: string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  const { surroundings, said } = around(env);
  const code = await runCommandLine(args, surroundings);
  return { code, ...said };
}
