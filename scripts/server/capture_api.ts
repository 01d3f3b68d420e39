/** What the reference server answers to each request: the contract, and its breaches on request. */

import { createHash, timingSafeEqual } from "node:crypto";
import { receiveForm, RequestBody } from "./capture_form.ts";
import {
  type CutPoint,
  type Misbehaviour,
  NO_MISBEHAVIOUR,
} from "./misbehaviour.ts";
import {
  multipartBoundary,
  MultipartError,
  readMultipart,
} from "./multipart_parser.ts";
import type { ReceivedCapture, ReceivedStore } from "./received_store.ts";

/** Options for {@linkcode CaptureApi}. */
export interface CaptureApiOptions {
  /**
   * What uploads and the listing must carry as `Authorization: Bearer`.
   *
   * @default {undefined} no token is asked for
   */
  token?: string | undefined;
  /**
   * The longest request body that is taken, in bytes: 413 beyond it, 411 if the
   * request does not say how long it is.
   *
   * @default {Infinity}
   */
  maxBytes?: number;
  /**
   * Takes one line for each upload, without its metadata.
   *
   * @default {undefined} nothing is logged
   */
  log?: ((line: string) => void) | undefined;
  /**
   * Draws from 0 to 1, for the rates.
   *
   * @default {Math.random}
   */
  random?: () => number;
}

const MAX_KEY_LENGTH = 255;
/** So much of a refused body is read, so that the client gets to see the answer. */
const MAX_SKIPPED_BYTES = 16 * 1024 * 1024;
const CUT_POINTS: readonly CutPoint[] = ["before", "body", "after"];
const TOLD_TO = "Told to answer so";

/** What ends a request with an answer other than success. */
class Refusal extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    message: string,
    headers: Record<string, string> = {},
  ) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** What ends a request without any answer. */
export class ConnectionCut extends Error {}

/** Answers requests out of a store, and into it. */
export class CaptureApi {
  /** What goes wrong, from the next request on. */
  misbehaviour: Misbehaviour = NO_MISBEHAVIOUR;
  readonly #store: ReceivedStore;
  readonly #options: CaptureApiOptions;
  readonly #random: () => number;

  constructor(store: ReceivedStore, options: CaptureApiOptions) {
    this.#store = store;
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Answers a request, whatever becomes of it.
   *
   * @throws {ConnectionCut} if its connection is to be cut instead.
   */
  async answer(request: Request): Promise<Response> {
    const body = new RequestBody(request);
    try {
      return await this.#route(request, body);
    } catch (error) {
      if (!(error instanceof ConnectionCut)) {
        return await this.#refuse(body, error);
      }
      this.#log("cut", error.message);
      throw error;
    }
  }

  async #refuse(body: RequestBody, error: unknown): Promise<Response> {
    const message = error instanceof Error ? error.message : String(error);
    const { status, headers } = error instanceof Refusal
      ? error
      : { status: error instanceof MultipartError ? 400 : 500, headers: {} };
    if (body.failed) this.#log("cut", "by the client, nothing is stored");
    else this.#log(status, message);
    await body.skip(MAX_SKIPPED_BYTES);
    // 304 is the one among these that must not have a body.
    if (status === 304) return new Response(null, { status });
    return Response.json({ error: message }, { status, headers });
  }

  async #route(request: Request, body: RequestBody): Promise<Response> {
    const { pathname } = new URL(request.url);
    switch (`${request.method} ${pathname}`) {
      case "GET /health/ready":
        if (this.misbehaviour.status === 503) throw new Refusal(503, TOLD_TO);
        return Response.json({ status: "ready" });
      case "GET /api/captures":
        this.#checkToken(request);
        return Response.json(this.#store.captures);
      case "POST /api/captures":
        return await this.#takeCapture(request, body);
    }
    const allow = pathname === "/health/ready"
      ? "GET"
      : pathname === "/api/captures"
      ? "GET, POST"
      : undefined;
    if (allow === undefined) {
      throw new Refusal(404, `Cannot find ${JSON.stringify(pathname)}`);
    }
    throw new Refusal(405, `Cannot ${request.method} this: expected ${allow}`, {
      allow,
    });
  }

  async #takeCapture(request: Request, body: RequestBody): Promise<Response> {
    const { failRate, dropRate, dropAt, status } = this.misbehaviour;
    if (status !== undefined) throw new Refusal(status, TOLD_TO);
    this.#checkToken(request);
    const length = this.#checkLength(request);
    const cutAt = this.#random() < dropRate
      ? dropAt ?? CUT_POINTS[Math.floor(this.#random() * CUT_POINTS.length)]
      : undefined;
    if (cutAt === "before") throw new ConnectionCut("before reading");
    if (this.#random() < failRate) throw new Refusal(500, TOLD_TO);
    const { capture, isNew } = await this.#keep(
      request,
      cutAt === "body" ? cutAfter(body, length / 2) : body,
    );
    const outcome = isNew ? "stored" : "known already:";
    this.#log(
      201,
      `${outcome} ${capture.id}, ${capture.size} bytes, ${
        JSON.stringify(capture.filename)
      }`,
    );
    if (cutAt === "after") throw new ConnectionCut("after storing");
    return Response.json({ id: capture.id }, {
      status: 201,
      headers: isNew ? {} : { "idempotency-replayed": "true" },
    });
  }

  async #keep(
    request: Request,
    body: AsyncIterable<Uint8Array>,
  ): Promise<{ capture: ReceivedCapture; isNew: boolean }> {
    const idempotencyKey = request.headers.get("idempotency-key") || null;
    if (idempotencyKey !== null && idempotencyKey.length > MAX_KEY_LENGTH) {
      throw new Refusal(
        400,
        `Cannot take an Idempotency-Key of ${idempotencyKey.length} characters: expected at most ${MAX_KEY_LENGTH}`,
      );
    }
    const known = idempotencyKey && this.#store.find(idempotencyKey);
    if (known) {
      for await (const _ of body);
      return { capture: known, isNew: false };
    }
    const boundary = multipartBoundary(request.headers.get("content-type"));
    await using incoming = await this.#store.receive();
    const { metadata, ...description } = await receiveForm(
      readMultipart(body, boundary),
      incoming,
    );
    return await this.#store.commit(
      incoming,
      { idempotencyKey, ...description },
      metadata,
    );
  }

  #checkToken(request: Request): void {
    const { token } = this.#options;
    if (token === undefined) return;
    // Hashes have one length, and comparing them takes the same time for any guess.
    const hash = (text: string) => createHash("sha256").update(text).digest();
    const given = request.headers.get("authorization") ?? "";
    if (!timingSafeEqual(hash(given), hash(`Bearer ${token}`))) {
      throw new Refusal(401, "Cannot let you in: expected the right token", {
        "www-authenticate": "Bearer",
      });
    }
  }

  /** The length that the request declares; 0 if it does not and need not. */
  #checkLength(request: Request): number {
    const declared = request.headers.get("content-length");
    const { maxBytes = Infinity } = this.#options;
    if (declared === null && maxBytes < Infinity) {
      throw new Refusal(411, "Cannot take this: expected a Content-Length");
    }
    if (Number(declared) > maxBytes) {
      throw new Refusal(
        413,
        `Cannot take ${declared} bytes: expected at most ${maxBytes}`,
      );
    }
    return Number(declared);
  }

  #log(outcome: number | string, text: string): void {
    this.#options.log?.(`${new Date().toISOString()} ${outcome} ${text}`);
  }
}

/** Passes on the first `bytes` bytes, more or less, and then cuts the connection. */
async function* cutAfter(
  body: AsyncIterable<Uint8Array>,
  bytes: number,
): AsyncGenerator<Uint8Array> {
  let left = bytes;
  for await (const chunk of body) {
    if ((left -= chunk.length) < 0) break;
    yield chunk;
  }
  throw new ConnectionCut("amid the body");
}
