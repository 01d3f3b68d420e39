import { deadline } from "@std/async/deadline";
import { messageOf } from "../../host/message_of.ts";
import { tryTo } from "../../host/try_to.ts";
import { UsageError } from "../arguments.ts";
import { childEnvironment } from "../child_environment.ts";

/** How long a command may take to print the token, in milliseconds. */
const LIMIT_MS = 30_000;

/** The most that it may print, in bytes. */
const MAX_BYTES = 64 * 1024;

/**
 * Runs a command line in a process group of its own, which is killed as a whole once
 * standard input ends without a line: this program has given it up, or has died. Only
 * the exit code of the command is written to standard error.
 */
const IN_GROUP = `
exec 3<&0 </dev/null
{ read -r _ <&3 || kill -KILL 0; } >/dev/null 2>&1 &
/bin/sh -c "$1" 2>/dev/null 3<&-
echo $? >&2
exec >&- 2>&-
wait`;

const WHAT = "the --token-command";

/**
 * Runs a command line in a shell and returns its output. It has no terminal.
 *
 * @param options `limitMs` is how long it may take, in milliseconds (default: 30 s).
 * @throws {UsageError} if it fails, takes longer, or prints more than 64 KiB; then
 * nothing of it goes on. The message repeats none of its output, on standard error
 * either: a trace shows the token.
 */
export async function runTokenCommand(
  command: string,
  { limitMs = LIMIT_MS }: { limitMs?: number } = {},
): Promise<string> {
  if (Deno.build.os === "windows") {
    throw new UsageError(
      `Cannot run ${WHAT} on Windows: expected --token-file`,
    );
  }
  const child = start(command);
  const control = child.stdin.getWriter();
  try {
    const ended = Promise.all([read(child.stdout), read(child.stderr)]);
    const [text, code] = await deadline(ended, limitMs);
    await control.write(new TextEncoder().encode("\n")).catch(() => {});
    if (code === "0\n") return text;
    const how = code ? `exited with ${code.trim()}` : "was killed";
    throw failed(`${how}; run it by hand to see why`);
  } catch (cause) {
    if (!(cause instanceof DOMException)) throw cause;
    throw failed(
      `did not end within ${limitMs / 1000} s; run it by hand to see why`,
      cause,
    );
  } finally {
    await control.close().catch(() => {});
    await child.status;
  }
}

function start(command: string): Deno.ChildProcess {
  try {
    return new Deno.Command("/bin/sh", {
      args: ["-c", IN_GROUP, "sh", command],
      ...childEnvironment(),
      // The folder that a running agent was started in may have been removed.
      ...(!tryTo(() => Deno.cwd()) && { cwd: "/" }),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
  } catch (cause) {
    throw new UsageError(`Cannot run ${WHAT}: ${messageOf(cause)}`, { cause });
  }
}

async function read(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > MAX_BYTES) {
      throw failed(
        `printed more than ${MAX_BYTES} bytes, expected the token alone`,
      );
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function failed(how: string, cause?: unknown): UsageError {
  return new UsageError(`Cannot use ${WHAT}: it ${how}`, { cause });
}
