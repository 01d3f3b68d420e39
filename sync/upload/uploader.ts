import { retry, RetryError } from "@std/async/retry";
import { basename } from "@std/path";
import { bytesCapture, openCapture } from "./capture_file.ts";
import {
  encodeMetadata,
  type Metadata,
  parseMetadata,
} from "../capture/metadata.ts";
import { createHttpClient } from "./http_client.ts";
import { ONE_PIECE_BYTES } from "./multipart.ts";
import type { OutcomeKind } from "./outcome.ts";
import {
  type Attempt,
  type CaptureSource,
  getReady,
  postCapture,
} from "./requests.ts";
import { parseServerUrl } from "./server_url.ts";
import type {
  CaptureUploaderOptions,
  UploadOptions,
} from "./upload_options.ts";

export type { CaptureUploaderOptions, UploadOptions };

/** What became of an upload. */
export interface UploadResult {
  /** Whether the server has the capture. */
  success: boolean;
  /** The server's id for it; `null` if it failed or the server named none. */
  captureId: string | null;
  /** What went wrong, without secrets; `null` on success. */
  error: string | null;
  /** How many attempts were made. */
  attempts: number;
  /** What a queue should do with the capture now. */
  outcome: OutcomeKind;
  /** How long the server asked to be left alone, in milliseconds. */
  retryAfterMs: number | null;
  /** A remark about a delivery that did succeed. */
  warning: string | null;
  /**
   * The size in bytes and modification time (milliseconds since 1970) of what
   * the last attempt opened; `null` if it could not be opened.
   */
  sent: { size: number; mtimeMs: number } | null;
}

const MAX_BACKOFF_MS = 60_000;
const CHECK_TIMEOUT_MS = 5_000;
/** On a line that stalled, what is larger than this shows its progress. */
const SLOW_LINE_ONE_PIECE_BYTES = 16 * 1024;

/**
 * Sends captures to the capture server, each until it is delivered or the
 * attempts are used up.
 *
 * All uploads of one uploader share its keep-alive connections; it may be used
 * for many at a time. What goes wrong with the server or the file is in the
 * result, never thrown.
 *
 * @example
 * ```ts
 * await using uploader = new CaptureUploader("http://127.0.0.1:8000");
 * if (await uploader.checkServer()) {
 *   const result = await uploader.upload("door.png", { door: 3 });
 *   console.log(result.success ? result.captureId : result.error);
 * }
 * ```
 */
export class CaptureUploader implements AsyncDisposable {
  /** The server's address, without a trailing slash. */
  readonly serverUrl: string;
  readonly #maxAttempts: number;
  readonly #timeoutMs: number;
  readonly #backoffMs: number;
  readonly #token: () => string | undefined;
  readonly #client: Deno.HttpClient;
  #closed = false;
  #isSlow = false;

  /**
   * @throws {TypeError} if the address cannot be used (see `parseServerUrl`).
   * @throws {RangeError} if `maxRetries`, `timeout` or `backoffMs` is out of its range.
   * @throws {Error} if the certificates to trust cannot be read.
   */
  constructor(serverUrl: string, options: CaptureUploaderOptions = {}) {
    const { maxRetries = 3, timeout = 30_000, backoffMs = 1000, token } =
      options;
    this.serverUrl = parseServerUrl(serverUrl, options);
    assertRange("maxRetries", maxRetries, 1, 1000);
    assertWhole("maxRetries", maxRetries);
    assertRange("timeout", timeout, 1, 86_400_000);
    assertRange("backoffMs", backoffMs, 0, MAX_BACKOFF_MS);
    this.#maxAttempts = maxRetries;
    this.#timeoutMs = timeout;
    this.#backoffMs = backoffMs;
    this.#token = typeof token === "function" ? token : () => token;
    this.#client = createHttpClient(options.tls);
  }

  /**
   * Sends a file, with what the host knows of it added to the metadata.
   *
   * A file that changes while it is sent is a failed attempt. Memory does not
   * grow with the file.
   *
   * @throws {TypeError} if the metadata is not a JSON object, or the uploader is closed.
   * @throws {RangeError} if the metadata is larger than 1 MiB.
   * @throws the signal's reason, if it aborts.
   */
  upload(
    path: string,
    metadata: Metadata = {},
    options: UploadOptions = {},
  ): Promise<UploadResult> {
    const name = basename(options.filename ?? path);
    const { content, expected } = options;
    const open = () =>
      content
        ? bytesCapture(content.bytes, content.mtimeMs, { path, expected })
        : openCapture(path, expected);
    return this.#deliver({ name, open }, metadata, options);
  }

  /**
   * Sends bytes that are in memory already, otherwise like
   * {@linkcode CaptureUploader.upload}. They must not change before the
   * promise is settled.
   *
   * @throws {TypeError} if the metadata is not a JSON object, or the uploader is closed.
   * @throws {RangeError} if the metadata is larger than 1 MiB.
   * @throws the signal's reason, if it aborts.
   */
  uploadBytes(
    data: Uint8Array,
    filename: string,
    metadata: Metadata = {},
    options: UploadOptions = {},
  ): Promise<UploadResult> {
    const createdMs = Date.now();
    const open = () => bytesCapture(data, createdMs);
    return this.#deliver({ name: basename(filename), open }, metadata, options);
  }

  /**
   * Returns whether the server says that it is ready: `true` for HTTP 200 only.
   * Never throws, and gives up after 5 s.
   */
  async checkServer(options: { signal?: AbortSignal } = {}): Promise<boolean> {
    try {
      return await getReady(this.#send, {
        token: this.#token,
        timeoutMs: CHECK_TIMEOUT_MS,
        signal: options.signal,
      });
    } catch {
      return false;
    }
  }

  /**
   * Closes the kept connections. Attempts in flight may end, no further one is
   * made. Closing again does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  async #deliver(
    source: CaptureSource,
    metadata: Metadata,
    { signal, idempotencyKey = crypto.randomUUID() }: UploadOptions,
  ): Promise<UploadResult> {
    // A copy, so that every attempt sends what was checked.
    const given = parseMetadata(encodeMetadata(metadata));
    let attempts = 0;
    let last!: Attempt;
    const attempt = async () => {
      this.#assertOpen();
      attempts++;
      last = await this.#attempt(source, given, idempotencyKey, signal);
      if (last.outcome.transient) throw new TransientFailure();
    };
    try {
      // The agent's case, for which there is nothing to wait.
      if (this.#maxAttempts === 1) await attempt();
      else {await retry(attempt, {
          maxAttempts: this.#maxAttempts,
          minTimeout: this.#backoffMs,
          maxTimeout: MAX_BACKOFF_MS,
          jitter: 0.5,
          isRetriable: (error) => error instanceof TransientFailure,
          ...(signal && { signal }),
        });}
    } catch (error) {
      const isUsedUp = error instanceof RetryError ||
        error instanceof TransientFailure;
      if (!isUsedUp) throw error;
    }
    const { kind, captureId, error, retryAfterMs, warning } = last.outcome;
    return {
      success: kind === "delivered",
      captureId,
      error,
      attempts,
      outcome: kind,
      retryAfterMs,
      warning,
      sent: last.sent,
    };
  }

  async #attempt(
    source: CaptureSource,
    metadata: Metadata,
    idempotencyKey: string,
    signal: AbortSignal | undefined,
  ): Promise<Attempt> {
    const attempt = await postCapture(this.#send, {
      source,
      metadata,
      idempotencyKey,
      token: this.#token,
      timeoutMs: this.#timeoutMs,
      onePieceBytes: this.#isSlow ? SLOW_LINE_ONE_PIECE_BYTES : ONE_PIECE_BYTES,
      signal,
    });
    if (attempt.stalled) this.#isSlow = true;
    // Twice what one piece needs to be in time.
    const fastEnough = 2 * ONE_PIECE_BYTES / this.#timeoutMs;
    if (attempt.bytesPerMs > fastEnough) this.#isSlow = false;
    return attempt;
  }

  readonly #send = (path: string, init: RequestInit): Promise<Response> =>
    fetch(this.serverUrl + path, {
      ...init,
      client: this.#client,
      // Following one would take captures and token elsewhere.
      redirect: "manual",
    });

  #assertOpen(): void {
    if (!this.#closed) return;
    throw new TypeError("Cannot upload: the uploader is closed");
  }
}

/** Thrown to make `retry` try again; the outcome says why. */
class TransientFailure extends Error {}

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

function assertWhole(name: string, value: number): void {
  if (Number.isInteger(value)) return;
  throw new RangeError(`Cannot use ${name} ${value}: expected a whole number`);
}
