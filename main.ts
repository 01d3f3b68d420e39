import { runCommandLine } from "./sync/cli/cli.ts";
import { ignoreDebugSignal } from "./sync/host/debug_signal.ts";
import { variable } from "./sync/host/environment.ts";
import { writeAll } from "./sync/host/files.ts";
import { messageOf } from "./sync/host/message_of.ts";

const encoder = new TextEncoder();
const windows = Deno.build.os === "windows";

// A capture server's certificate may come from an authority that only this
// system knows. Deno reads the variable when TLS is first used. All at once they are
// read without an error, whatever is in them.
if (!Deno.env.toObject().DENO_TLS_CA_STORE) {
  Deno.env.set("DENO_TLS_CA_STORE", "mozilla,system");
}

/** The signals that stop the program, with their numbers. On Windows no other one can be listened to. */
const STOP_SIGNALS: [Deno.Signal, number][] = windows
  ? [["SIGINT", 2]]
  : [["SIGINT", 2], ["SIGQUIT", 3], ["SIGTERM", 15]];

ignoreDebugSignal();

// Else a limit on the size of files would end the program without a word.
if (!windows) Deno.addSignalListener("SIGXFSZ", () => {});

let onUnread = () => {};

/** Aborts at the first of them, or of SIGHUP or a missing reader where that means the same. */
function stopSignal({ hangup = false, unread = false } = {}): AbortSignal {
  const stopping = new AbortController();
  const stop = () => stopping.abort(new Error("interrupted"));
  let isAsked = false;
  for (const [signal, number] of STOP_SIGNALS) {
    Deno.addSignalListener(signal, () => {
      // Whoever asks twice does not want to wait.
      if (isAsked) Deno.exit(128 + number);
      isAsked = true;
      stop();
    });
  }
  // The end of a session sends it once or twice, or beside SIGTERM: nobody hurries.
  if (hangup && !windows) Deno.addSignalListener("SIGHUP", stop);
  if (unread) onUnread = stop;
  return stopping.signal;
}

Deno.exit(
  await runCommandLine(Deno.args, {
    out: (line, end = "\n") => {
      try {
        writeAll(Deno.stdout, encoder.encode(line + end));
      } catch (error) {
        // The reader has gone, like in `jarvis-agent list | head`.
        if (error instanceof Deno.errors.BrokenPipe) return onUnread();
        throw new Error(`Cannot write to standard output: ${messageOf(error)}`);
      }
    },
    err: (line) => {
      try {
        writeAll(Deno.stderr, encoder.encode(line + "\n"));
      } catch {
        // Nowhere to say so; the work goes on.
      }
    },
    env: variable,
    envNames: () => Object.keys(Deno.env.toObject()),
    stopSignal,
    onReload: (reload) => {
      if (!windows) Deno.addSignalListener("SIGHUP", reload);
    },
  }),
);
