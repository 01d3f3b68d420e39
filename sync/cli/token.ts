import { join } from "@std/path";
import { type Given, UsageError } from "./arguments.ts";

/** The server's token. */
export interface TokenSource {
  /** The token as it was read last; `undefined` if there is none. */
  get(): string | undefined;
  /**
   * Reads the token again.
   *
   * @throws {UsageError} as {@linkcode readToken} does; the last token stays.
   */
  reload(): void;
}

/**
 * Returns the token of the file that was named, else of the service manager's
 * credential `token`, else of `JARVIS_TOKEN`. For a command that takes no token
 * there is none.
 *
 * @throws {UsageError} if the file cannot be read, is empty, or holds something
 * that cannot be a token. The message never holds the token.
 */
export function readToken(
  given: Given,
  env: (name: string) => string | undefined,
): TokenSource {
  if (!given.takes("token-file")) return { get: () => undefined, reload() {} };
  const credentials = env("CREDENTIALS_DIRECTORY");
  const passed = credentials && join(credentials, "token");
  const file = given.text("token-file") ??
    (passed && isFile(passed) ? passed : undefined);
  if (file === undefined) {
    const token = checkToken(env("JARVIS_TOKEN") ?? "", "JARVIS_TOKEN");
    return { get: () => token, reload() {} };
  }
  let token = readTokenFile(file);
  return { get: () => token, reload: () => token = readTokenFile(file) };
}

function readTokenFile(file: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch (cause) {
    const { message } = cause as Error;
    throw new UsageError(
      `Cannot read the token file "${file}": ${message}; expected a file with the token in it`,
      { cause },
    );
  }
  const token = checkToken(text, `the token file "${file}"`);
  if (token !== undefined) return token;
  throw new UsageError(
    `Cannot use the token file "${file}": it is empty, expected the token in it`,
  );
}

function checkToken(text: string, source: string): string | undefined {
  const token = text.trim();
  if (token === "") return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  // Without the token itself.
  throw new UsageError(
    `Cannot use ${source}: expected a token on one line, of printable ASCII characters without spaces`,
  );
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
