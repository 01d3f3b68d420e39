import type { CommandContext } from "./command.ts";
import { withoutNode } from "./without_node.ts";

/** What the program has around it. */
export interface Surroundings
  extends Pick<CommandContext, "out" | "err" | "stopSignal" | "onReload"> {
  /** Returns a variable of the environment. */
  env: (name: string) => string | undefined;
  /** Whether the process ends with the command, so that nothing need be closed. */
  endsProcess: boolean;
}

/**
 * Runs one command line and returns the exit code. Whatever goes wrong is told
 * on standard error, never thrown.
 *
 * Modules load when they are needed: to load all of them takes longer than a
 * short command does.
 */
export async function runCommandLine(
  [name = "--help", ...rest]: string[],
  around: Surroundings,
): Promise<number> {
  const { out } = around;
  if (["--version", "-V"].includes(name)) {
    const { VERSION } = await import("../host/version.ts");
    out(`jarvis-agent ${VERSION}`);
    return 0;
  }
  if (["--help", "-h", "help"].includes(name)) {
    const [topic] = rest;
    if (topic === undefined) {
      const { programHelp } = await import("./help.ts");
      out(programHelp());
      return 0;
    }
    [name, rest] = [topic, ["--help"]];
  }
  if (name === "enqueue") {
    const load = () => import("./commands/quick_enqueue.ts");
    const { enqueueQuickly } = await withoutNode(load);
    const code = await enqueueQuickly(rest, around);
    if (code !== undefined) return code;
  }
  // First, so that no other module loads it.
  await withoutNode(() => import("@std/path"));
  const { runCommand } = await import("./run_command.ts");
  return await runCommand(name, rest, around);
}
