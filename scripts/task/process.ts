/** Runs `deno` commands for the tasks. */
import { projectPath } from "./bindings.ts";

/** How {@linkcode runDeno} runs a command. */
export interface RunOptions {
  /** The folder to run in. @default {the project's} */
  cwd?: string;
  /** Whether the command ends in order when it gets a signal. @default {false} */
  isGraceful?: boolean;
  /** Gets what the command writes to standard output, which is then not inherited. */
  output?: WritableStream<Uint8Array>;
}

const IS_WINDOWS = Deno.build.os === "windows";
const SIGNALS: readonly Deno.Signal[] = IS_WINDOWS
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];
/** Closer together than this the same signal is one, told twice. */
const ECHO_MS = 200;

/**
 * Runs `deno` with these arguments until it ends, and returns its exit code.
 *
 * Signals are passed on. Ctrl-C in a terminal reaches every process of the
 * group, and `deno task` passes its own on besides, so that a command which
 * takes a second signal for "at once" would never end in order: a graceful one
 * therefore runs outside the group and hears each signal once.
 */
export async function runDeno(
  args: readonly string[],
  options: RunOptions = {},
): Promise<number> {
  const { cwd = projectPath("."), isGraceful = false, output } = options;
  // Set by `deno task`; a task that the command starts has a folder of its own.
  const { INIT_CWD: _, ...env } = Deno.env.toObject();
  const command: Deno.CommandOptions & { detached: boolean } = {
    args: [...args],
    cwd,
    env,
    clearEnv: true,
    stdin: "inherit",
    stdout: output ? "piped" : "inherit",
    stderr: "inherit",
    detached: isGraceful && !IS_WINDOWS,
  };
  // Before the start, so that no signal finds this process gone and the other one there.
  using _signals = onSignal((signal) => send(child, signal));
  const child = new Deno.Command(Deno.execPath(), command).spawn();
  if (output) await child.stdout.pipeTo(output);
  return (await child.status).code;
}

/** Calls `listener` for each signal, once where it is told twice. */
function onSignal(listener: (signal: Deno.Signal) => void): Disposable {
  const heardAt = new Map<Deno.Signal, number>();
  const heard = SIGNALS.map((signal) => {
    const hear = () => {
      const now = performance.now();
      const isEcho = now - (heardAt.get(signal) ?? -Infinity) < ECHO_MS;
      heardAt.set(signal, now);
      if (!isEcho) listener(signal);
    };
    Deno.addSignalListener(signal, hear);
    return () => Deno.removeSignalListener(signal, hear);
  });
  return { [Symbol.dispose]: () => heard.forEach((stop) => stop()) };
}

function send(child: Deno.ChildProcess, signal: Deno.Signal): void {
  // A Windows console tells every process itself.
  if (IS_WINDOWS) return;
  try {
    child.kill(signal);
  } catch {
    // It has ended already.
  }
}
