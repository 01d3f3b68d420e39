import { retry, RetryError } from "@std/async/retry";
import { typeByExtension } from "@std/media-types/type-by-extension";
import { basename, extname } from "@std/path";
import {
  checkMetadata,
  encodeMetadata,
  type Metadata,
  withHostMetadata,
} from "../capture/metadata.ts";
import type { FileIdentity } from "../host/opened_file.ts";
import { readAnswer } from "./answer.ts";
import {
  IN_MEMORY_BYTES,
  type KnownCapture,
  openBytes,
  type OpenCapture,
  openCapture,
} from "./capture_file.ts";
import { createHttpClient } from "./http_client.ts";
import {
  describeAnswer,
  type Outcome,
  type OutcomeKind,
  outcomeOfAnswer,
  outcomeOfError,
  type ProofKind,
} from "./outcome.ts";
import { bodyOf, commonHeaders, exchange, keyHeader } from "./request.ts";
import { parseServerUrl } from "./server_url.ts";
import { StallGuard } from "./stall_guard.ts";
import {
  type CaptureUploaderOptions,
  MAX_BACKOFF_MS,
  numbersOf,
  type UploadOptions,
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
  /** What the last attempt means. */
  outcome: OutcomeKind;
  /** How long the server asked to be left alone, in milliseconds. */
  retryAfterMs: number | null;
  /** The last answer's HTTP status; `null` if there was none. */
  status: number | null;
  /** How long the last attempt took, in milliseconds. */
  elapsedMs: number;
  /** Of the bytes that belong to this key, in hexadecimal; `null` if they were never read. */
  sha256: string | null;
  /** The file that the last attempt opened; `null` if it could not, or there was none. */
  sent: FileIdentity | null;
}

/** Whether a server can be used, and if not, why. */
export type Readiness = { ready: true } | { ready: false; reason: string };

const CHECK_TIMEOUT_MS = 5_000;
/** On a line that stalled, what is larger than this shows its progress. */
const SLOW_LINE_ONE_PIECE_BYTES = 16 * 1024;

/** Where one capture's bytes come from; opened anew for each attempt. */
interface Source {
  /** What the server is told as its name. */
  name: string;
  open: (known: KnownCapture) => Promise<OpenCapture>;
}

/** What goes with a capture's bytes. */
interface Delivery {
  name: string;
  /** As JSON text. */
  metadata: string;
  token: string | undefined;
  idempotencyKey: string;
  signal: AbortSignal | undefined;
}

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
  readonly #numbers: ReturnType<typeof numbersOf>;
  readonly #proof: ProofKind;
  readonly #token: () => string | undefined;
  readonly #renewToken: CaptureUploaderOptions["renewToken"];
  readonly #client: Deno.HttpClient;
  #closed = false;
  #isSlow = false;

  /**
   * @throws {TypeError} if the address cannot be used (see `parseServerUrl`).
   * @throws {RangeError} if `maxRetries`, `timeout` or `backoffMs` is out of its range.
   * @throws {Error} if the certificates to trust cannot be read.
   */
  constructor(serverUrl: string, options: CaptureUploaderOptions = {}) {
    const { token, proof = "id" } = options;
    this.serverUrl = parseServerUrl(serverUrl, options);
    this.#numbers = numbersOf(options);
    this.#proof = proof;
    this.#token = typeof token === "function" ? token : () => token;
    this.#renewToken = options.renewToken;
    this.#client = createHttpClient(options.tls);
  }

  /**
   * Sends a file, with what the host knows of it added to the metadata.
   *
   * What was sent and is proven is what the file's hash in the metadata says: a
   * file that changes is never sent whole, by this attempt or a later one. Memory
   * does not grow with the file.
   *
   * @param metadata An object, or JSON text, which is carried as it is written.
   * @throws {TypeError} if the metadata is not a JSON object, or the uploader is closed.
   * @throws {RangeError} if the metadata is larger than 1 MiB.
   * @throws the signal's reason, if it aborts.
   */
  upload(
    path: string,
    metadata: Metadata | string = {},
    options: UploadOptions = {},
  ): Promise<UploadResult> {
    return this.#deliver(metadata, options, {
      name: basename(options.filename ?? path),
      open: (known) => openCapture(path, known, options.signal),
    });
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
    metadata: Metadata | string = {},
    options: UploadOptions = {},
  ): Promise<UploadResult> {
    const mtimeMs = Date.now();
    return this.#deliver(metadata, options, {
      name: basename(filename),
      open: (known) => openBytes(data, mtimeMs, known),
    });
  }

  /**
   * Returns whether the server says that it is ready: `true` for HTTP 200 only.
   * Never throws, and gives up after 5 s.
   */
  async checkServer(options: { signal?: AbortSignal } = {}): Promise<boolean> {
    return (await this.probe(options)).ready;
  }

  /** Like {@linkcode CaptureUploader.checkServer}, and says why the server is not ready. */
  async probe(options: { signal?: AbortSignal } = {}): Promise<Readiness> {
    using guard = new StallGuard(CHECK_TIMEOUT_MS, options.signal);
    let token: string | undefined;
    try {
      token = this.#token();
      const response = await fetch(`${this.serverUrl}/health/ready`, {
        headers: commonHeaders(token),
        signal: guard.signal,
        client: this.#client,
        redirect: "manual",
      });
      if (response.status === 200) {
        await response.body?.cancel();
        return { ready: true };
      }
      const answer = await readAnswer(response, false);
      return { ready: false, reason: describeAnswer(answer, { token }) };
    } catch (error) {
      const { error: reason } = outcomeOfError(error, { token });
      return { ready: false, reason: reason! };
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
    metadata: Metadata | string,
    { expected, sha256, signal, idempotencyKey = crypto.randomUUID() }:
      UploadOptions,
    source: Source,
  ): Promise<UploadResult> {
    const text = typeof metadata === "string"
      ? checkMetadata(metadata)
      : encodeMetadata(metadata);
    let known: KnownCapture = { expected, sha256 };
    let full: string | undefined;
    let attempts = 0;
    let elapsedMs = 0;
    let sent: FileIdentity | null = null;
    let outcome!: Outcome;

    const attempt = async (mayRenew: boolean): Promise<void> => {
      if (this.#closed) {
        throw new TypeError("Cannot upload: the uploader is closed");
      }
      attempts++;
      sent = null;
      const startedMs = performance.now();
      let token: string | undefined;
      try {
        token = this.#token();
        using capture = await source.open(known);
        sent = capture.identity;
        // One key, one content: a later attempt sends the same or nothing.
        known = { expected: sent ?? undefined, sha256: capture.sha256 };
        full ??= withHostMetadata(text, { name: source.name, ...capture });
        outcome = await this.#post(capture, {
          name: source.name,
          metadata: full,
          token,
          idempotencyKey,
          signal,
        });
      } catch (error) {
        signal?.throwIfAborted();
        outcome = outcomeOfError(error);
      }
      elapsedMs = performance.now() - startedMs;
      const isRenewed = mayRenew && outcome.status === 401 &&
        await this.#renewToken?.(token);
      if (isRenewed) return attempt(false);
      if (outcome.isTransient) throw new TransientFailure();
    };
    await retry(() => attempt(true), {
      maxAttempts: this.#numbers.maxRetries,
      minTimeout: this.#numbers.backoffMs,
      maxTimeout: MAX_BACKOFF_MS,
      jitter: 0.5,
      isRetriable: (error) => error instanceof TransientFailure,
      ...(signal && { signal }),
    }).catch((error) => {
      if (!(error instanceof RetryError)) throw error;
    });
    const { kind, isTransient: _, ...rest } = outcome;
    return {
      success: kind === "delivered",
      ...rest,
      attempts,
      outcome: kind,
      elapsedMs,
      sha256: known.sha256 ?? null,
      sent,
    };
  }

  /** Tries once; says what came of it rather than throw. */
  async #post(
    capture: OpenCapture,
    { name, metadata, token, idempotencyKey, signal }: Delivery,
  ): Promise<Outcome> {
    using guard = new StallGuard(this.#numbers.timeout, signal);
    try {
      const form = new FormData();
      form.append("metadata", metadata);
      form.append("file", new Blob([], { type: typeOf(name) }), name);
      const { type, content } = await bodyOf(form, capture, {
        onePieceBytes: this.#isSlow
          ? SLOW_LINE_ONE_PIECE_BYTES
          : IN_MEMORY_BYTES,
        guard,
      });
      const startedMs = performance.now();
      const answer = await exchange(
        content,
        guard.signal,
        () =>
          fetch(`${this.serverUrl}/api/captures`, {
            method: "POST",
            headers: {
              ...commonHeaders(token),
              "content-type": type,
              "idempotency-key": keyHeader(idempotencyKey),
            },
            body: content,
            signal: guard.signal,
            client: this.#client,
            // Following one would take captures and token elsewhere.
            redirect: "manual",
          }),
      );
      const bytesPerMs = capture.size / (performance.now() - startedMs);
      // Twice what one piece needs to be in time.
      if (bytesPerMs > 2 * IN_MEMORY_BYTES / this.#numbers.timeout) {
        this.#isSlow = false;
      }
      return outcomeOfAnswer(answer, {
        sent: { ...capture, metadata },
        token,
        proof: this.#proof,
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (guard.stalled) this.#isSlow = true;
      return outcomeOfError(error, { token });
    }
  }
}

/** Thrown to make `retry` try again; the outcome says why. */
class TransientFailure extends Error {}

function typeOf(name: string): string {
  return typeByExtension(extname(name)) ?? "application/octet-stream";
}
