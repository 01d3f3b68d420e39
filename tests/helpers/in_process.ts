import { runCommandLine } from "../../sync/cli/cli.ts";
import type { Ended } from "./cli.ts";

/** Runs one command line in this process, with no variables but those given. */
export async function runInProcess(
  args: string[],
  env: Record<string, string> = {},
): Promise<Ended> {
  let stdout = "";
  let stderr = "";
  const code = await runCommandLine(args, {
    out: (line) => stdout += `${line}\n`,
    err: (line) => stderr += `${line}\n`,
    env: (name) => env[name],
    endsProcess: false,
    stopSignal: () => new AbortController().signal,
    onReload() {},
  });
  return { code, stdout, stderr };
}
