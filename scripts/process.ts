/** Runs `deno` commands for the tasks. */
import { projectPath } from "./bindings.ts";

/** How {@linkcode runProgram} runs a command. */
export interface RunOptions {
  /** The folder to run in. @default {the project's} */
  cwd?: string;
  /** Whether the command ends in order when it gets a signal. @default {false} */
  isGraceful?: boolean;
  /** Gets what the command writes to standard output, which is then not inherited. */
  output?: WritableStream<Uint8Array>;
}

/** Closer together than this the same signal is one, told twice. */
const ECHO_MS = 200;
const SIGNALS: Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs `deno` with these arguments until it ends, and returns its exit code.
 *
 * Signals are passed on. Ctrl-C in a terminal reaches every process of the group, and `deno task`
 * passes its own on besides, so that a command which takes a second signal for "at once" would
 * never end in order: a graceful one therefore runs outside the group and hears each signal once.
 */
export async function runProgram(
  args: string[],
  options: RunOptions = {},
): Promise<number> {
  const { cwd = projectPath("."), isGraceful = false, output } = options;
  // Set by `deno task`; a task that the command starts has a folder of its own to start in.
  const { INIT_CWD: _, ...env } = Deno.env.toObject();
  const isWindows = Deno.build.os === "windows";
  const command: Deno.CommandOptions & { detached: boolean } = {
    args,
    cwd,
    env,
    clearEnv: true,
    stdin: "inherit",
    stdout: output ? "piped" : "inherit",
    stderr: "inherit",
    detached: isGraceful && !isWindows,
  };
  const child = new Deno.Command(Deno.execPath(), command).spawn();

  const heardAt = new Map<Deno.Signal, number>();
  const listeners = SIGNALS.map((signal) => {
    const listener = () => {
      const now = performance.now();
      const isEcho = now - (heardAt.get(signal) ?? -Infinity) < ECHO_MS;
      heardAt.set(signal, now);
      // A Windows console tells every process itself.
      if (!isEcho && !isWindows) send(child, signal);
    };
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  });
  try {
    await (output && child.stdout.pipeTo(output));
    return (await child.status).code;
  } finally {
    for (const remove of listeners) remove();
  }
}

function send(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended already.
  }
}
