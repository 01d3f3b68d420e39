import { join } from "@std/path";
import { statIfThere } from "../../host/files.ts";
import { messageOf } from "../../host/message_of.ts";
import { readSmallText } from "../../host/small_file.ts";
import { type Ambient, type OptionValues, UsageError } from "../arguments.ts";
import { readPipedSecret } from "./secret_file.ts";
import { runTokenCommand } from "./token_command.ts";

/** The least time until a token is read again because the server refused it, in milliseconds. */
const RENEW_MS = 1_000;

/**
 * Returns the token's source: `--token-file` or `--token-command`, else the service
 * manager's credential `token`, else `JARVIS_TOKEN`. For a command that takes no
 * token there is none.
 *
 * @param around `err` takes warnings about risks to the token.
 * @throws {UsageError} if two sources are named.
 */
export function readToken(
  given: OptionValues,
  around: Ambient,
): TokenSource {
  const read = given.takes("token-file")
    ? reader(given, around)
    : () => undefined;
  return new TokenSource(read, around.err);
}

/** The source of the server's token. */
export class TokenSource {
  readonly #read: Read;
  readonly #err: (line: string) => void;
  #token: string | undefined;
  #problem: string | undefined;
  #reading: Promise<void> | undefined;
  #renewedAt = -Infinity;

  constructor(read: Read, err: (line: string) => void) {
    this.#read = read;
    this.#err = err;
  }

  /** The token as it was read last; `undefined` if there is none. */
  get(): string | undefined {
    return this.#token;
  }

  /** The reason why there is none though one is named: it could not be read yet. */
  get problem(): string | undefined {
    return this.#token === undefined ? this.#problem : undefined;
  }

  /**
   * Reads the token: at the start, and whenever it may be another.
   *
   * @throws {UsageError} if it cannot be read, or holds something that cannot be a
   * token; the last one stays. The message never holds the token.
   */
  async reload(): Promise<void> {
    try {
      this.#token = await this.#read();
      this.#problem = undefined;
    } catch (error) {
      this.#problem = messageOf(error);
      throw error;
    }
  }

  /**
   * Reads the token again after the server has refused one, at most every second, and
   * returns whether it is another. If that fails the last one stays, and the reason
   * is logged.
   */
  async renew(refused: string | undefined): Promise<boolean> {
    if (
      this.#token === refused && performance.now() - this.#renewedAt > RENEW_MS
    ) {
      this.#renewedAt = performance.now();
      this.#reading = this.reload().catch((error) =>
        this.#err(
          `jarvis-agent: ${error.message}; going on with the last token`,
        )
      );
    }
    await this.#reading;
    return this.#token !== refused;
  }
}

type Read = () => string | undefined | Promise<string | undefined>;

function reader(
  given: OptionValues,
  { env, err }: Ambient,
): Read {
  const file = given.path("token-file");
  const command = given.text("token-command");
  given.atMostOne("token-file", "token-command");
  if (file !== undefined) {
    return async () =>
      tokenOf(await readPipedSecret(file, WHAT, err), `${WHAT} "${file}"`);
  }
  if (command !== undefined) {
    return async () =>
      tokenOf(await runTokenCommand(command), "the --token-command");
  }
  const credentials = env("CREDENTIALS_DIRECTORY");
  const passed = credentials && join(credentials, "token");
  // The service manager's own file, whoever it belongs to.
  if (passed && isCredential(passed)) {
    return () => tokenOf(readSmallText(passed), `"${passed}"`);
  }
  const text = env("JARVIS_TOKEN")?.trim();
  return () => text ? tokenOf(text, "JARVIS_TOKEN") : undefined;
}

/** @throws {UsageError} if it cannot be told. */
function isCredential(path: string): boolean {
  try {
    return statIfThere(path)?.isFile === true;
  } catch (cause) {
    throw new UsageError(
      `Cannot read the token in CREDENTIALS_DIRECTORY: ${messageOf(cause)}`,
      { cause },
    );
  }
}

const WHAT = "the token file";

function tokenOf(text: string, source: string): string {
  const token = text.trim();
  if (token === "") {
    throw new UsageError(
      `Cannot use ${source}: it is empty, expected the token in it`,
    );
  }
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  // Without the token itself.
  throw new UsageError(
    `Cannot use ${source}: expected a token on one line, of printable ASCII characters without spaces`,
  );
}
