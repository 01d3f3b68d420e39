import { retry, RetryError } from "@std/async/retry";
import { typeByExtension } from "@std/media-types/type-by-extension";
import { basename, extname } from "@std/path";
import { encodeMetadata, type Metadata, withHostMetadata } from "./metadata.ts";
import {
  bytesCapture,
  encodeEnvelope,
  FileBody,
  ONE_PIECE_BYTES,
  onePieceBody,
  type OpenCapture,
  openCapture,
} from "./multipart.ts";
import {
  type Answer,
  type Outcome,
  type OutcomeKind,
  outcomeOfAnswer,
  outcomeOfError,
} from "./outcome.ts";
import { parseServerUrl } from "./server_url.ts";
import { StallGuard } from "./stall_guard.ts";
import { VERSION } from "./version.ts";

/** Options for {@linkcode CaptureUploader}. */
export interface CaptureUploaderOptions {
  /**
   * How many attempts one upload makes, the first one included. At least 1.
   *
   * @default {3}
   */
  maxRetries?: number;
  /**
   * The longest time without progress, in milliseconds: to connect, while the
   * body is sent, until the answer begins, and for the whole of the answer. A
   * capture of up to 1 MiB leaves as one piece and shows no progress, so this
   * limits its whole request; after one was cut off, such captures are
   * streamed too, so that a slow line has the time it needs while bytes move.
   *
   * @default {30000}
   */
  timeout?: number;
  /** The bearer token, or a function that is asked for it before each attempt. */
  token?: string | (() => string | undefined);
  /**
   * Whether plain `http://` may be used beyond this machine.
   *
   * @default {false}
   */
  allowInsecure?: boolean;
  /**
   * The wait after the first failed attempt, in milliseconds; doubled by each
   * further one, at most a minute, with up to half of it taken off at random.
   *
   * @default {1000}
   */
  backoffMs?: number;
}

/** Options for one upload. */
export interface UploadOptions {
  /**
   * What the server tells repetitions of this capture by: the same for every
   * attempt of the same capture.
   *
   * @default {crypto.randomUUID()}
   */
  idempotencyKey?: string;
  /**
   * The name the server is told.
   *
   * @default {the path's base name}
   */
  filename?: string;
  /**
   * What the file must still be: its size in bytes and its modification time in
   * milliseconds since 1970. Another one is not sent.
   *
   * @default {whatever it is now}
   */
  expected?: { size: number; mtimeMs: number };
  /** Ends the upload at once, its socket and file included. */
  signal?: AbortSignal;
}

/** What became of an upload. */
export interface UploadResult {
  /** Whether the server has the capture. */
  success: boolean;
  /** The server's id for it; `null` if it failed or the server named none. */
  captureId: string | null;
  /** What went wrong, without secrets; `null` on success. */
  error: string | null;
  /** How many requests were made. */
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

/** The most that is read of an answer, in bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;
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
  // HTTP/2 with a default window of 64 KiB was a fiftieth as fast.
  readonly #client = Deno.createHttpClient({
    http2: false,
    poolMaxIdlePerHost: 64,
  });
  #closed = false;
  #slowLine = false;

  /**
   * @throws {TypeError} if the address cannot be used (see `parseServerUrl`).
   * @throws {RangeError} if `maxRetries`, `timeout` or `backoffMs` is out of its range.
   */
  constructor(serverUrl: string, options: CaptureUploaderOptions = {}) {
    const { maxRetries = 3, timeout = 30_000, backoffMs = 1000, token } =
      options;
    this.serverUrl = parseServerUrl(serverUrl, options);
    assertRange("maxRetries", maxRetries, 1, 1000);
    assertRange("timeout", timeout, 1, 86_400_000);
    assertRange("backoffMs", backoffMs, 0, MAX_BACKOFF_MS);
    this.#maxAttempts = maxRetries;
    this.#timeoutMs = timeout;
    this.#backoffMs = backoffMs;
    this.#token = typeof token === "function" ? token : () => token;
  }

  /**
   * Sends a file, with what the host knows of it added to the metadata.
   *
   * A file that changes while it is sent is a failed attempt. Memory does not
   * grow with the file.
   *
   * @throws {TypeError} if the metadata is not a JSON object, or the uploader is closed.
   * @throws the signal's reason, if it aborts.
   */
  upload(
    path: string,
    metadata: Metadata = {},
    options: UploadOptions = {},
  ): Promise<UploadResult> {
    const name = options.filename ?? basename(path);
    return this.#deliver(
      { name, open: () => openCapture(path, options.expected) },
      metadata,
      options,
    );
  }

  /**
   * Sends bytes that are in memory already, otherwise like
   * {@linkcode CaptureUploader.upload}. They must not change before the
   * promise is settled.
   *
   * @throws {TypeError} if the metadata is not a JSON object, or the uploader is closed.
   * @throws the signal's reason, if it aborts.
   */
  uploadBytes(
    data: Uint8Array,
    filename: string,
    metadata: Metadata = {},
    options: UploadOptions = {},
  ): Promise<UploadResult> {
    const createdMs = Date.now();
    return this.#deliver(
      { name: filename, open: () => bytesCapture(data, createdMs) },
      metadata,
      options,
    );
  }

  /**
   * Returns whether the server says that it is ready: `true` for HTTP 200 only.
   * Never throws, and gives up after 5 s.
   */
  async checkServer(options: { signal?: AbortSignal } = {}): Promise<boolean> {
    if (this.#closed) return false;
    try {
      using guard = new StallGuard(CHECK_TIMEOUT_MS, options.signal);
      const response = await this.#fetch("/health/ready", {
        signal: guard.signal,
        headers: headersFor(this.#token()),
      });
      await response.body?.cancel();
      return response.status === 200;
    } catch {
      return false;
    }
  }

  /** Closes the kept connections; uploads in flight may end. Closing again does nothing. */
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
    source: Source,
    metadata: Metadata,
    options: UploadOptions,
  ): Promise<UploadResult> {
    if (this.#closed) {
      throw new TypeError("Cannot upload: the uploader is closed");
    }
    encodeMetadata(metadata);
    const { signal, idempotencyKey: key = crypto.randomUUID() } = options;
    let attempts = 0;
    let outcome!: Outcome;
    let sent: UploadResult["sent"] = null;
    const attempt = async () => {
      attempts++;
      outcome = await this.#attempt(source, metadata, {
        key,
        signal,
        onOpen: ({ size, mtimeMs }) => sent = { size, mtimeMs },
      });
      if (outcome.transient) throw new TransientFailure();
    };
    try {
      await retry(attempt, {
        maxAttempts: this.#maxAttempts,
        minTimeout: this.#backoffMs,
        maxTimeout: MAX_BACKOFF_MS,
        jitter: 0.5,
        isRetriable: (error) => error instanceof TransientFailure,
        ...(signal && { signal }),
      });
    } catch (error) {
      if (!(error instanceof RetryError)) throw error;
    }
    return {
      success: outcome.kind === "delivered",
      captureId: outcome.captureId,
      error: outcome.error,
      attempts,
      outcome: outcome.kind,
      retryAfterMs: outcome.retryAfterMs,
      warning: outcome.warning,
      sent,
    };
  }

  async #attempt(
    source: Source,
    metadata: Metadata,
    request: {
      key: string;
      signal: AbortSignal | undefined;
      onOpen: (capture: OpenCapture) => void;
    },
  ): Promise<Outcome> {
    const token = this.#token();
    try {
      using guard = new StallGuard(this.#timeoutMs, request.signal);
      using capture = source.open();
      request.onOpen(capture);
      const { name } = source;
      const { size, mtimeMs } = capture;
      const envelope = await encodeEnvelope({
        metadataJson: JSON.stringify(
          withHostMetadata(metadata, { name, size, mtimeMs }),
        ),
        filename: name,
        contentType: typeByExtension(extname(name)) ??
          "application/octet-stream",
      });
      const body = size <= this.#onePieceBytes
        ? onePieceBody(envelope, capture)
        : new FileBody(envelope, capture, {
          onProgress: () => guard.progress(),
        });
      const answer = await this.#post(body, guard, {
        ...headersFor(token),
        "content-type": envelope.type,
        "idempotency-key": headerValue(request.key),
      });
      return redact(outcomeOfAnswer(answer), token);
    } catch (error) {
      request.signal?.throwIfAborted();
      return redact(outcomeOfError(error), token);
    }
  }

  async #post(
    body: Uint8Array<ArrayBuffer> | FileBody,
    guard: StallGuard,
    headers: Record<string, string>,
  ): Promise<Answer> {
    const streamed = body instanceof FileBody ? body : undefined;
    try {
      const response = await this.#fetch("/api/captures", {
        method: "POST",
        body,
        headers,
        signal: guard.signal,
      });
      guard.progress();
      if (!streamed) this.#slowLine = false;
      return {
        status: response.status,
        retryAfter: response.headers.get("retry-after"),
        body: await readAnswer(response),
      };
    } catch (error) {
      if (guard.stalled) this.#slowLine = true;
      throw streamed?.failure ?? error;
    } finally {
      streamed?.stop();
    }
  }

  get #onePieceBytes(): number {
    return this.#slowLine ? SLOW_LINE_ONE_PIECE_BYTES : ONE_PIECE_BYTES;
  }

  #fetch(path: string, init: RequestInit): Promise<Response> {
    return fetch(this.serverUrl + path, {
      ...init,
      client: this.#client,
      // Following one would take captures and token elsewhere.
      redirect: "manual",
    });
  }
}

/** Where one capture's bytes come from; opened anew for each attempt. */
interface Source {
  name: string;
  open(): OpenCapture;
}

/** Thrown to make `retry` try again; the outcome says why. */
class TransientFailure extends Error {}

function headersFor(token: string | undefined): Record<string, string> {
  const headers = { "user-agent": `jarvis-agent/${VERSION}` };
  return token ? { ...headers, authorization: `Bearer ${token}` } : headers;
}

/** Queue ids are UUIDs; one that another program wrote may be anything. */
function headerValue(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : encodeURIComponent(text);
}

/**
 * Reads the start of an answer's body. What goes wrong with the rest changes
 * nothing: the status has said what became of the capture.
 */
async function readAnswer(response: Response): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  let read = 0;
  try {
    // Leaving the loop cancels the body, which frees the socket.
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      read += chunk.length;
      if (read >= MAX_ANSWER_BYTES) break;
    }
  } catch {
    // Cut off, or too slow.
  }
  return text.slice(0, MAX_ANSWER_BYTES);
}

/** A server may repeat what it was sent. */
function redact(outcome: Outcome, token: string | undefined): Outcome {
  if (!token || outcome.error === null) return outcome;
  return { ...outcome, error: outcome.error.replaceAll(token, "[token]") };
}

function assertRange(
  name: string,
  value: number,
  min: number,
  max: number,
): void {
  const whole = Number.isInteger(value) || name !== "maxRetries";
  if (whole && value >= min && value <= max) return;
  throw new RangeError(
    `Cannot use ${name} ${value}: expected a number from ${min} to ${max}`,
  );
}
