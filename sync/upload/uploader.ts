import { retry, RetryError } from "@std/async/retry";
import { typeByExtension } from "@std/media-types/type-by-extension";
import { basename, extname } from "@std/path";
import type { Metadata } from "../capture/metadata.ts";
import { type AttemptFields, Attempts } from "./attempts.ts";
import { Bandwidth } from "./bandwidth.ts";
import { openBytes } from "./capture_bytes.ts";
import {
  type KnownCapture,
  type OpenCapture,
  openCapture,
} from "./capture_file.ts";
import { createHttpClient } from "./http_client.ts";
import { envelopeOf, FileBody } from "./multipart.ts";
import { outcomeOfAnswer, refusesToken } from "./outcome.ts";
import type { Outcome, UploadResult } from "./outcome.ts";
import { ask, readinessOf } from "./readiness.ts";
import type { AskOptions, Readiness, Reply } from "./readiness.ts";
import { commonHeaders, contentOf, exchange, keyHeader } from "./request.ts";
import { parseServerUrl } from "./server_url.ts";
import { StallGuard } from "./stall_guard.ts";
import {
  type CaptureUploaderOptions,
  MAX_RETRY_DELAY_MS,
  type UploadOptions,
  withDefaults,
} from "./upload_options.ts";

export type { CaptureUploaderOptions, Readiness, UploadOptions, UploadResult };

/** The parts of a request besides the capture's bytes. */
interface RequestParts extends AttemptFields {
  name: string;
  idempotencyKey: string;
  signal: AbortSignal | undefined;
}

/**
 * Sends captures to the capture server, each until it is delivered or the
 * attempts are used up.
 *
 * All uploads of one uploader share its keep-alive connections; it may be used for
 * many at a time. Errors of the server or the file are in the result, never thrown.
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
  readonly #options: ReturnType<typeof withDefaults>;
  /** A redirect is not followed: it would take captures and token elsewhere. */
  readonly #connection: { client: Deno.HttpClient; redirect: "manual" };
  readonly #bandwidth: Bandwidth;
  #closed = false;

  /**
   * @throws {TypeError} if the address cannot be used (see `parseServerUrl`).
   * @throws {RangeError} if `maxRetries`, `timeout` or `backoffMs` is out of its range.
   * @throws {Error} if the certificates to trust cannot be read.
   */
  constructor(serverUrl: string, options: CaptureUploaderOptions = {}) {
    this.serverUrl = parseServerUrl(serverUrl, options);
    this.#options = withDefaults(options);
    this.#bandwidth = new Bandwidth(this.#options.bandwidth);
    const client = createHttpClient(this.serverUrl, options.tls);
    this.#connection = { client, redirect: "manual" };
  }

  /**
   * Sends a file, with the host's facts about it added to the metadata.
   *
   * The hash of its bytes is in the metadata; a file that changes is not sent
   * whole, by this attempt or a later one. Memory does not grow with the file.
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
    const name = basename(options.filename ?? path);
    const { signal, open: openFile, original } = options;
    const open = (known: KnownCapture) =>
      openCapture(path, { ...known, open: openFile, original }, signal);
    return this.#deliver(open, { ...options, name, metadata });
  }

  /**
   * Sends bytes that are in memory already, otherwise like
   * {@linkcode CaptureUploader.upload}. They must not change before the promise is
   * settled.
   *
   * @throws as {@linkcode CaptureUploader.upload} does.
   */
  uploadBytes(
    data: Uint8Array,
    filename: string,
    metadata: Metadata | string = {},
    options: UploadOptions = {},
  ): Promise<UploadResult> {
    const name = basename(filename);
    const mtimeMs = Date.now();
    const open = (known: KnownCapture) => openBytes(data, mtimeMs, known);
    return this.#deliver(open, { ...options, name, metadata });
  }

  /**
   * Returns whether the server says that it is ready: `true` for HTTP 200 only.
   * Never throws, and waits 5 s if no other time is given.
   */
  async checkServer(options: AskOptions = {}): Promise<boolean> {
    return (await this.probe(options)).ready;
  }

  /** Like {@linkcode CaptureUploader.checkServer}, and says why the server is not ready. */
  async probe(options: AskOptions = {}): Promise<Readiness> {
    return readinessOf(await this.#ask("health/ready", {}, options));
  }

  /**
   * Asks the server to take a capture without a file, which it cannot keep: a token
   * that it refuses shows here, not by its health. Never throws.
   */
  tryToken(options: AskOptions = {}): Promise<Reply> {
    const body = new FormData();
    body.append("metadata", "{}");
    return this.#ask("api/captures", { method: "POST", body }, options);
  }

  /**
   * Closes the kept connections. Attempts in flight may end, no further one is
   * made. Closing again does nothing.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.client.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #ask(
    path: string,
    request: RequestInit,
    options: AskOptions,
  ): Promise<Reply> {
    const send = (init: RequestInit) =>
      fetch(`${this.serverUrl}/${path}`, {
        ...request,
        ...init,
        ...this.#connection,
      });
    return ask(send, this.#options, options);
  }

  async #deliver(
    open: (known: KnownCapture) => Promise<OpenCapture>,
    given: UploadOptions & { name: string; metadata: Metadata | string },
  ): Promise<UploadResult> {
    const { name, signal, idempotencyKey = crypto.randomUUID() } = given;
    const { token: readToken, renewToken } = this.#options;
    const attempts = new Attempts(open, given);
    const attempt = async (mayRenew: boolean): Promise<void> => {
      if (this.#closed) {
        throw new TypeError("Cannot upload: the uploader is closed");
      }
      const { outcome, token } = await attempts.make(
        readToken,
        (capture, sent) =>
          this.#post(capture, { ...sent, name, idempotencyKey, signal }),
      );
      const isRenewed = mayRenew && refusesToken(outcome.status) &&
        await renewToken?.(token);
      if (isRenewed) return attempt(false);
      if (outcome.isTransient) throw new TransientFailure();
    };
    await retry(() => attempt(true), {
      maxAttempts: this.#options.maxRetries,
      minTimeout: this.#options.backoffMs,
      maxTimeout: MAX_RETRY_DELAY_MS,
      jitter: 0.5,
      isRetriable: (error) => error instanceof TransientFailure,
      ...(signal && { signal }),
    }).catch((error) => {
      if (!(error instanceof RetryError)) throw error;
    });
    return attempts.result;
  }

  async #post(
    capture: OpenCapture,
    { name, metadata, token, idempotencyKey, ...rest }: RequestParts,
  ): Promise<Outcome> {
    using guard = new StallGuard(this.#options.timeout, rest.signal);
    const envelope = await envelopeOf(formOf(name, metadata));
    const onProgress = () => guard.progress();
    const { signal } = guard;
    // To wait for one's turn is no silence of the server's.
    const waiting = { signal, onWait: onProgress, waitMs: guard.limitMs / 4 };
    const { onSent } = this.#options;
    using pace = this.#bandwidth.pace({ ...waiting, onSent });
    const body = new FileBody(envelope, capture, { onProgress, pace });
    const headers = {
      ...commonHeaders(token),
      "content-type": body.type,
      "idempotency-key": keyHeader(idempotencyKey),
    };
    const content = await contentOf(body);
    const post = () =>
      fetch(`${this.serverUrl}/api/captures`, {
        method: "POST",
        headers,
        body: content,
        signal,
        ...this.#connection,
      });
    const answer = await exchange(body, guard, post);
    const { proof } = this.#options;
    const sent = { ...capture, metadata };
    return outcomeOfAnswer(answer, { sent, token, proof });
  }
}

/** The form that carries a capture; its bytes take the place of the empty file. */
export function formOf(name: string, metadata: string): FormData {
  const type = typeByExtension(extname(name)) ?? "application/octet-stream";
  const form = new FormData();
  form.append("metadata", metadata);
  // A backslash escapes for some readers, a byte order mark is lost on others.
  const written = name.replaceAll(/[\\\ufeff]/g, encodeURIComponent);
  form.append("file", new Blob([], { type }), written);
  return form;
}

/** Thrown to make `retry` try again; the outcome says why. */
class TransientFailure extends Error {}
