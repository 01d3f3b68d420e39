/** Runs `deno` commands for the tasks. */
import { projectPath } from "./bindings.ts";
import { onOrphaned } from "./orphan.ts";

/** Options for {@linkcode runDeno}. */
export interface RunOptions {
  /** The folder to run in. @default {the project's} */
  cwd?: string;
  /** Whether the command ends in order when it gets a signal. @default {false} */
  isGraceful?: boolean;
  /** Gets the command's standard output, which is then not inherited. */
  output?: WritableStream<Uint8Array>;
  /** Gets the command's standard error, which is then not inherited. */
  errors?: WritableStream<Uint8Array>;
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
 * The command never outlives the task. Signals are passed on; where the terminal
 * is closed, or a process that the task consists of is killed, the command is
 * terminated.
 *
 * Ctrl-C in a terminal reaches every process of the group, and `deno task` passes
 * its own on besides, so that a command which takes a second signal for "at once"
 * would never end in order: a graceful one therefore runs outside the group and
 * hears each signal once.
 */
export async function runDeno(
  args: readonly string[],
  options: RunOptions = {},
): Promise<number> {
  const { cwd = projectPath("."), isGraceful = false } = options;
  const { output, errors } = options;
  // Set by `deno task`; a task that the command starts has a folder of its own.
  const { INIT_CWD: _, ...env } = Deno.env.toObject();
  const command: Deno.CommandOptions & { detached: boolean } = {
    args: [...args],
    cwd,
    env,
    clearEnv: true,
    stdin: "inherit",
    stdout: output ? "piped" : "inherit",
    stderr: errors ? "piped" : "inherit",
    detached: isGraceful && !IS_WINDOWS,
  };
  let isTold = false;
  const tell = (signal: Deno.Signal) => {
    isTold = true;
    send(child, signal);
  };
  // Told before, it is ending already, and a second signal would cut that short.
  const terminate = () => isTold || tell("SIGTERM");
  // Before the start, so that no signal finds this process gone and the other one there.
  using _signals = onSignal((signal) =>
    // To the agent SIGHUP means to read its settings again, here that the terminal is gone.
    signal === "SIGHUP" ? terminate() : tell(signal)
  );
  const child = new Deno.Command(Deno.execPath(), command).spawn();
  using _orphan = onOrphaned(terminate);
  await using _guard = IS_WINDOWS ? undefined : new Guard(child.pid);
  await Promise.all([
    output && child.stdout.pipeTo(output),
    errors && child.stderr.pipeTo(errors),
  ]);
  return (await child.status).code;
}

/** Calls `listener` for each signal, once where it is told twice. */
export function onSignal(
  listener: (signal: Deno.Signal) => void,
): Disposable {
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

/** Terminates a process when this one ends without having said so: it was killed. */
class Guard implements AsyncDisposable {
  readonly #shell: Deno.ChildProcess;

  constructor(pid: number) {
    const command: Deno.CommandOptions & { detached: boolean } = {
      // The end of standard input is the end of this process.
      args: ["-c", 'read -r _ || kill -TERM "$0"', String(pid)],
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      // A signal to this process's group does not reach it.
      detached: true,
    };
    this.#shell = new Deno.Command("sh", command).spawn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const writer = this.#shell.stdin.getWriter();
    try {
      await writer.write(new Uint8Array([0x0a]));
      await writer.close();
    } catch {
      // It was killed, and there is nothing left to guard.
    }
    await this.#shell.status;
  }
}
