/** The reference server's answers: the contract, and its breaches on request. */

import { createHash } from "node:crypto";
import { receiveForm } from "./capture_form.ts";
import {
  type CutPoint,
  IMPOSTORS,
  type Misbehaviour,
  NO_MISBEHAVIOUR,
} from "./misbehaviour.ts";
import type { ReceivedCapture, ReceivedStore } from "./received_store.ts";
import { ConnectionCut, Refusal } from "./refusal.ts";
import { readBody, skipBody } from "./request_body.ts";

/** Options for {@linkcode CaptureApi}. */
export interface CaptureApiOptions {
  /** The bearer token that uploads and the listing must carry. @default {none} */
  token?: string | undefined;
  /** The largest request that is taken, in bytes, by its `Content-Length`. @default {Infinity} */
  maxBytes?: number | undefined;
  /** Takes one line for each upload, without its metadata. @default {nothing is logged} */
  log?: ((line: string) => void) | undefined;
  /** Draws from 0 to 1, for the rates. @default {Math.random} */
  random?: () => number;
}

const MAX_KEY_LENGTH = 255;
const CUT_POINTS: readonly CutPoint[] = ["before", "body", "after"];
const TOLD_TO = "Told to answer so";
const METHODS: Readonly<Record<string, string>> = {
  "/health/ready": "GET",
  "/api/captures": "GET, POST",
};

/** A capture that the store has now; `isNew` if this request brought it. */
interface Kept {
  capture: ReceivedCapture;
  isNew: boolean;
}

/** Answers requests out of a store, and into it. */
export class CaptureApi {
  /** The misbehaviour, from the next request on. */
  misbehaviour: Misbehaviour = NO_MISBEHAVIOUR;
  readonly #store: ReceivedStore;
  readonly #options: CaptureApiOptions;
  readonly #random: () => number;
  /** The idempotency keys of the uploads that are being received. */
  readonly #inProgress = new Set<string>();

  constructor(store: ReceivedStore, options: CaptureApiOptions) {
    this.#store = store;
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Answers a request, also one that fails.
   *
   * @throws {ConnectionCut} if its connection is to be cut instead.
   */
  async answer(request: Request): Promise<Response> {
    try {
      return await this.#route(request);
    } catch (error) {
      const { message } = error as Error;
      if (error instanceof ConnectionCut) {
        this.#log("cut", message);
        throw error;
      }
      const { status, headers } = error instanceof Refusal
        ? error
        : new Refusal(500, message);
      this.#log(status, message);
      await skipBody(request.body);
      // 304 is the one among these that must not have a body.
      if (status === 304) return new Response(null, { status });
      return Response.json({ error: message }, { status, headers });
    }
  }

  async #route(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    switch (`${request.method} ${pathname}`) {
      case "GET /health/ready":
        if (this.misbehaviour.status === 503) throw new Refusal(503, TOLD_TO);
        return Response.json({ status: "ready" });
      case "GET /api/captures":
        this.#checkToken(request);
        return Response.json(this.#store.captures);
      case "POST /api/captures":
        return await this.#takeCapture(request);
    }
    const allow = METHODS[pathname];
    if (!allow) throw new Refusal(404, `Cannot find "${pathname}"`);
    const message = `Cannot ${request.method} this: expected ${allow}`;
    throw new Refusal(405, message, { allow });
  }

  async #takeCapture(request: Request): Promise<Response> {
    const { failRate, dropRate, dropAt, impostor } = this.misbehaviour;
    if (impostor !== undefined) {
      await skipBody(request.body);
      return IMPOSTORS[impostor]();
    }
    this.#refuseAsTold(request);
    this.#checkToken(request);
    const length = Number(request.headers.get("content-length"));
    this.#checkLength(length);
    const cutAt = this.#random() < dropRate
      ? dropAt ?? CUT_POINTS[Math.floor(this.#random() * CUT_POINTS.length)]
      : undefined;
    if (cutAt === "before") throw new ConnectionCut("before reading");
    if (this.#random() < failRate) throw new Refusal(500, TOLD_TO);
    const readable = cutAt === "body" ? length / 2 : Infinity;
    const { capture, isNew } = await this.#keep(request, readable);
    const { id, size, sha256, filename } = capture;
    const outcome = isNew ? "stored" : "known already:";
    const name = JSON.stringify(filename);
    this.#log(201, `${outcome} ${id}, ${size} bytes, ${name}`);
    if (cutAt === "after") throw new ConnectionCut("after storing");
    return Response.json({ id, size, sha256 }, {
      status: 201,
      headers: isNew ? {} : { "idempotency-replayed": "true" },
    });
  }

  #refuseAsTold({ headers }: Request): void {
    const { status, statusRate, statusOf, retryAfterS } = this.misbehaviour;
    if (status === undefined) return;
    const draw = statusOf === "captures"
      ? shareOf(headers.get("idempotency-key") ?? "")
      : this.#random();
    if (draw >= statusRate) return;
    const retryAfter = retryAfterS !== undefined &&
      { "retry-after": String(retryAfterS) };
    throw new Refusal(status, TOLD_TO, retryAfter || {});
  }

  /** Receives a capture unless another request with the same key does so. */
  async #keep(request: Request, readableBytes: number): Promise<Kept> {
    const key = request.headers.get("idempotency-key") || null;
    if (key === null) return await this.#receive(request, readableBytes, key);
    if (key.length > MAX_KEY_LENGTH) {
      throw new Refusal(
        400,
        `Cannot take an Idempotency-Key of ${key.length} characters: expected at most ${MAX_KEY_LENGTH}`,
      );
    }
    if (this.#inProgress.has(key)) {
      throw new Refusal(
        409,
        "Cannot take this now: a request with the same Idempotency-Key is in progress",
        { "retry-after": "1" },
      );
    }
    this.#inProgress.add(key);
    try {
      return await this.#receive(request, readableBytes, key);
    } finally {
      this.#inProgress.delete(key);
    }
  }

  async #receive(
    request: Request,
    readableBytes: number,
    idempotencyKey: string | null,
  ): Promise<Kept> {
    await using incoming = await this.#store.receive();
    const { metadata, expectedSha256, ...description } = await receiveForm(
      readBody(request.body, readableBytes),
      request.headers.get("content-type"),
      incoming,
    );
    const content = await incoming.finish();
    if (expectedSha256 !== undefined && expectedSha256 !== content.sha256) {
      const expected = JSON.stringify(expectedSha256);
      throw new Refusal(
        422,
        `Cannot take this: its metadata say SHA-256 ${expected}, what came has "${content.sha256}"`,
      );
    }
    const known = idempotencyKey !== null && this.#store.find(idempotencyKey);
    if (!known) {
      const capture = { idempotencyKey, ...description, ...content };
      const kept = await this.#store.commit(incoming, capture, metadata);
      return { capture: kept, isNew: true };
    }
    if (known.sha256 === content.sha256) {
      return { capture: known, isNew: false };
    }
    throw new Refusal(
      422,
      `Cannot take this: its Idempotency-Key belongs to ${known.id}, which has other bytes`,
    );
  }

  #checkToken({ headers }: Request): void {
    const { token } = this.#options;
    const isRight = headers.get("authorization") === `Bearer ${token}`;
    if (token === undefined || isRight) return;
    throw new Refusal(401, "Cannot let you in: expected the right token", {
      "www-authenticate": "Bearer",
    });
  }

  #checkLength(bytes: number): void {
    const { maxBytes = Infinity } = this.#options;
    if (bytes <= maxBytes) return;
    throw new Refusal(
      413,
      `Cannot take ${bytes} bytes: expected at most ${maxBytes}`,
    );
  }

  #log(outcome: number | string, text: string): void {
    this.#options.log?.(`${new Date().toISOString()} ${outcome} ${text}`);
  }
}

/** A number from 0 up to 1 that is always the same for a text. */
function shareOf(text: string): number {
  const hash = createHash("sha256").update(text).digest();
  return hash.readUInt32BE() / 2 ** 32;
}
