import { runCommandLine } from "./sync/cli/cli.ts";

const encoder = new TextEncoder();
const stopping = new AbortController();
const reloads: (() => void)[] = [];
const windows = Deno.build.os === "windows";

// Windows has no other signals that can be listened to.
const stopSignals: Deno.Signal[] = windows ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
for (const signal of stopSignals) {
  Deno.addSignalListener(signal, () => {
    // Whoever asks twice does not want to wait.
    if (stopping.signal.aborted) Deno.exit(signal === "SIGINT" ? 130 : 143);
    stopping.abort(new Error("interrupted"));
  });
}
if (!windows) {
  Deno.addSignalListener("SIGHUP", () => reloads.forEach((reload) => reload()));
}

Deno.exit(
  await runCommandLine(Deno.args, {
    out: (line) => writeLine(Deno.stdout, line),
    err: (line) => writeLine(Deno.stderr, line),
    env: (name) => Deno.env.get(name),
    signal: stopping.signal,
    onReload: (reload) => reloads.push(reload),
  }),
);

function writeLine(stream: typeof Deno.stdout, line: string): void {
  const bytes = encoder.encode(line + "\n");
  try {
    for (let at = 0; at < bytes.length;) {
      at += stream.writeSync(bytes.subarray(at));
    }
  } catch (error) {
    // The reader has gone, like in `jarvis-agent list | head`.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
