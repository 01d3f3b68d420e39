import { assertOwn } from "../../host/data_dir.ts";
import { messageOf } from "../../host/message_of.ts";
import {
  readSmallFileOrPipe,
  readSmallText,
  textOf,
} from "../../host/small_file.ts";
import { UsageError } from "../arguments.ts";

const MAX_PIPED_BYTES = 64 * 1024;

/**
 * Reads a file that nobody else should be able to read or replace.
 *
 * @param what A name for messages: `the token file`.
 * @param err Is told if others may read it.
 * @throws {UsageError} if it cannot be read, is no regular file or belongs to
 * another user.
 */
export function readSecret(
  path: string,
  what: string,
  err: (line: string) => void,
): string {
  try {
    assertOwn(path);
    const text = readSmallText(path);
    warnIfOpen(path, what, err);
    return text;
  } catch (cause) {
    throw unreadable(path, what, cause);
  }
}

/** Like {@linkcode readSecret} for at most 64 KiB, and takes a pipe as well. */
export async function readPipedSecret(
  path: string,
  what: string,
  err: (line: string) => void,
): Promise<string> {
  try {
    assertOwn(path);
    const options = { maxBytes: MAX_PIPED_BYTES };
    const text = textOf(await readSmallFileOrPipe(path, options));
    warnIfOpen(path, what, err);
    return text;
  } catch (cause) {
    throw unreadable(path, what, cause);
  }
}

function warnIfOpen(
  path: string,
  what: string,
  err: (line: string) => void,
): void {
  const mode = (Deno.statSync(path).mode ?? 0) & 0o777;
  if ((mode & 0o077) === 0) return;
  err(
    `jarvis-agent: Others can read ${what} "${path}" (mode ${
      mode.toString(8)
    }): chmod 600 it`,
  );
}

function unreadable(path: string, what: string, cause: unknown): UsageError {
  const isMissing = cause instanceof Deno.errors.NotFound;
  const reason = isMissing
    ? "no such file, expected one to be there"
    : messageOf(cause)
      .replace(/^Cannot \w+ "[^"]*"(: |, )/, "");
  return new UsageError(`Cannot read ${what} "${path}": ${reason}`, { cause });
}
