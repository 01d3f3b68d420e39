import { assertOwn } from "../host/data_dir.ts";
import { UsageError } from "./arguments.ts";

/**
 * Reads a file that nobody else should be able to read or replace.
 *
 * @param what What it is, for messages: `the token file`.
 * @param err Is told if others may read it.
 * @throws {UsageError} if it cannot be read or belongs to another user.
 */
export function readSecret(
  path: string,
  what: string,
  err: (line: string) => void,
): string {
  try {
    assertOwn(path);
    const info = Deno.statSync(path);
    if (info.isDirectory) throw new Error("it is a directory, expected a file");
    const mode = (info.mode ?? 0) & 0o777;
    if ((mode & 0o077) !== 0) {
      err(
        `jarvis-agent: Others can read ${what} "${path}" (mode ${
          mode.toString(8)
        }): chmod 600 it`,
      );
    }
    return Deno.readTextFileSync(path);
  } catch (cause) {
    const { message } = cause as Error;
    throw new UsageError(`Cannot read ${what} "${path}": ${message}`, {
      cause,
    });
  }
}
