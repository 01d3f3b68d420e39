import type { HostFacts } from "../capture/metadata.ts";
import type { KnownCapture } from "./capture_file.ts";
import type { ProofKind } from "./outcome.ts";
import type { TlsOptions } from "./http_client.ts";

/** Options for `CaptureUploader`. */
export interface CaptureUploaderOptions {
  /**
   * How many attempts one upload makes, the first one included. 1 to 1000.
   *
   * @default {3}
   */
  maxRetries?: number;
  /**
   * The longest time without progress, in milliseconds, at most a day: to
   * connect, while the body is sent, and from its end to the end of the answer.
   * Bodies leave in pieces of 256 KiB: a line that takes longer for two of them
   * needs more than the default.
   *
   * @default {30000}
   */
  timeout?: number;
  /**
   * How many bytes of captures leave a second, at most, of all uploads together:
   * 1024 or more, or a function that is asked for it while they leave.
   *
   * @default {Infinity}
   */
  bandwidth?: number | (() => number);
  /**
   * Is called with how many bytes of a request leave, and with minus as many once it
   * is over: their sum is the number under way.
   */
  onSent?: (bytes: number) => void;
  /** The bearer token, or a function that is asked for it before each attempt. */
  token?: string | (() => string | undefined);
  /**
   * Is asked after a 401, 403, 440 or 498, to a question about the server's health too,
   * whether there is another token by now; then one more attempt is made at once.
   */
  renewToken?: (refused: string | undefined) => Promise<boolean>;
  /** Certificates of one's own. @default {none: the system's authorities} */
  tls?: TlsOptions;
  /**
   * Whether plain `http://` may be used beyond this machine.
   *
   * @default {false}
   */
  allowInsecure?: boolean;
  /**
   * The proof of a delivery: the `id` in a JSON object, or any 2xx, for a server that
   * is known to give no id. Then a captive portal, or any server that answers 200 to
   * everything, makes captures be taken for delivered.
   *
   * @default {"id"}
   */
  proof?: ProofKind;
  /**
   * The wait after the first failed attempt, in milliseconds; doubled by each
   * further one, at most a minute, with up to half of it taken off at random.
   *
   * @default {1000}
   */
  backoffMs?: number;
}

/** Options for one upload. */
export interface UploadOptions extends KnownCapture {
  /**
   * The key by which the server recognizes repetitions: the same for every attempt of
   * the same capture, and for no other bytes.
   *
   * @default {crypto.randomUUID()}
   */
  idempotencyKey?: string;
  /**
   * The name the server is told: its base name.
   *
   * @default {the path's base name}
   */
  filename?: string;
  /**
   * The modification time that the server is told, in milliseconds since 1970: the
   * same for every attempt, though the file may be touched in between.
   *
   * @default {that of the file, as it is opened first}
   */
  mtimeMs?: number | undefined;
  /**
   * The name that the server is told of the host: the same for every attempt.
   *
   * @default {the name that this host has at the first attempt}
   */
  hostname?: string | undefined;
  /**
   * Is called with what the server is told of the file, before the first byte leaves,
   * if the hash was not known. If it throws, the file counts as one that cannot be
   * read now.
   */
  onContent?: (facts: HostFacts) => void;
  /** Ends the upload at once, its socket and file included. */
  signal?: AbortSignal;
}

/** The longest wait between two attempts of one upload, in milliseconds. */
export const MAX_RETRY_DELAY_MS = 60_000;

/**
 * Returns the options with their defaults.
 *
 * @throws {RangeError} if a number is out of its range.
 */
export function withDefaults(options: CaptureUploaderOptions) {
  const { maxRetries = 3, timeout = 30_000, backoffMs = 1000 } = options;
  const { token: given, bandwidth: rate = Infinity } = options;
  const bandwidth = typeof rate === "function" ? rate : () => rate;
  const token = typeof given === "function" ? given : () => given;
  assertRange("maxRetries", maxRetries, 1, 1000);
  if (!Number.isInteger(maxRetries)) {
    throw new RangeError(
      `Cannot use maxRetries ${maxRetries}: expected a whole number`,
    );
  }
  assertRange("timeout", timeout, 1, 86_400_000);
  assertRange("backoffMs", backoffMs, 0, MAX_RETRY_DELAY_MS);
  assertRange("bandwidth", bandwidth(), 1024, Infinity);
  return { ...options, maxRetries, timeout, backoffMs, bandwidth, token };
}

function assertRange(
  name: string,
  value: number,
  min: number,
  max: number,
): void {
  if (value >= min && value <= max) return;
  throw new RangeError(
    `Cannot use ${name} ${value}: expected a number from ${min} to ${max}`,
  );
}
