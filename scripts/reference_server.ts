/** The capture server's side of the contract, for real, in one process. */

import { createHash, timingSafeEqual } from "node:crypto";
import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { receiveForm, RequestBody } from "./capture_form.ts";
import { CuttableFront } from "./cuttable_front.ts";
import {
  checkMisbehaviour,
  type CutPoint,
  type Misbehaviour,
  NO_MISBEHAVIOUR,
} from "./misbehaviour.ts";
import {
  multipartBoundary,
  MultipartError,
  readMultipart,
} from "./multipart_parser.ts";
import { type ReceivedCapture, ReceivedStore } from "./received_store.ts";

/** Options for {@linkcode startReferenceServer}. */
export interface ReferenceServerOptions {
  /** Where captures go. Created where needed. */
  dir: string;
  /**
   * The port to listen on; 0 takes a free one.
   *
   * @default {0}
   */
  port?: number;
  /**
   * The address to listen on.
   *
   * @default {"127.0.0.1"}
   */
  hostname?: string;
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
   * Whether an answer waits until the capture would survive a power failure.
   *
   * @default {true}
   */
  fsync?: boolean;
  /** What goes wrong from the start; `misbehave()` changes it later. */
  misbehaviour?: Partial<Misbehaviour>;
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
class ConnectionCut extends Error {}

/**
 * Starts a server that keeps the contract: each capture is streamed to disk,
 * its metadata beside it, and an idempotency key is stored once, even across
 * restarts on the same folder. Memory does not grow with a capture's size.
 *
 * @throws {RangeError} if a misbehaviour setting is out of its range.
 * @throws {Deno.errors.AddrInUse} if the port is taken.
 * @throws {Error} if the folder cannot be created, read or written.
 *
 * @example
 * ```ts
 * await using server = startReferenceServer({ dir: "./received" });
 * await fetch(`${server.url}/health/ready`);
 * server.misbehave({ dropRate: 1, dropAt: "after" });
 * ```
 */
export function startReferenceServer(
  options: ReferenceServerOptions,
): ReferenceServer {
  return new ReferenceServer(options);
}

/** A running reference server. */
export class ReferenceServer implements AsyncDisposable {
  readonly #options: ReferenceServerOptions;
  readonly #store: ReceivedStore;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #front: CuttableFront;
  readonly #stopping = new AbortController();
  readonly #random: () => number;
  readonly #busyPorts = new Set<number>();
  #misbehaviour: Misbehaviour = NO_MISBEHAVIOUR;
  #closing = false;
  #closed: Promise<void> | undefined;

  /** See {@linkcode startReferenceServer}. */
  constructor(options: ReferenceServerOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.misbehave(options.misbehaviour ?? {});
    this.#store = new ReceivedStore(options.dir, options);
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      (request, info) => this.#handle(request, info),
    );
    try {
      this.#front = new CuttableFront({
        hostname: options.hostname ?? "127.0.0.1",
        port: options.port ?? 0,
      }, this.#server.addr.port);
    } catch (error) {
      this.#server.shutdown();
      throw error;
    }
  }

  /** Where it listens: scheme, host and port, no slash at the end. */
  get url(): string {
    const hostname = this.#options.hostname ?? "127.0.0.1";
    const host = hostname.includes(":") ? `[${hostname}]` : hostname;
    return `http://${host}:${this.#front.port}`;
  }

  /** Every capture received so far, the oldest first. */
  get captures(): readonly ReceivedCapture[] {
    return this.#store.captures;
  }

  /** The path of a received capture; its record is there too, plus `.json`. */
  pathOf(capture: ReceivedCapture): string {
    return this.#store.pathOf(capture);
  }

  /**
   * Changes what goes wrong, for every request from now on.
   *
   * @throws {RangeError} if a setting is out of its range; then nothing changes.
   */
  misbehave(changes: Partial<Misbehaviour>): void {
    const changed = { ...this.#misbehaviour, ...changes };
    checkMisbehaviour(changed);
    this.#misbehaviour = changed;
  }

  /** Takes no new connections, lets requests end for a while, then cuts the rest. */
  close(options: { graceMs?: number } = {}): Promise<void> {
    return this.#closed ??= this.#close(options.graceMs ?? 5_000);
  }

  /** Cuts what is under way and closes. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close({ graceMs: 0 });
  }

  async #close(graceMs: number): Promise<void> {
    this.#closing = true;
    const drained = this.#front.drain((port) => this.#busyPorts.has(port));
    if (graceMs > 0) await deadline(drained, graceMs).catch(() => {});
    this.#stopping.abort();
    this.#front.close();
    // Not earlier: in Deno 2.9 this breaks the bodies that are being read.
    await this.#server.shutdown();
  }

  async #handle(
    request: Request,
    info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  ): Promise<Response> {
    const { port } = info.remoteAddr;
    const body = new RequestBody(request);
    this.#busyPorts.add(port);
    try {
      const response = await this.#route(request, body)
        .catch((error) => this.#refuse(body, error));
      const { latencyMs } = this.#misbehaviour;
      if (latencyMs > 0) {
        await delay(latencyMs, { signal: this.#stopping.signal });
      }
      if (this.#closing) response.headers.set("connection", "close");
      return response;
    } catch (error) {
      if (error instanceof ConnectionCut) this.#log("cut", error.message);
      this.#front.cut(port);
      // Goes nowhere.
      return new Response(null, { status: 500 });
    } finally {
      this.#busyPorts.delete(port);
    }
  }

  /** @throws {ConnectionCut} if that is what the error is. */
  async #refuse(body: RequestBody, error: unknown): Promise<Response> {
    if (error instanceof ConnectionCut) throw error;
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
        if (this.#misbehaviour.status === 503) throw new Refusal(503, TOLD_TO);
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
    const { failRate, dropRate, dropAt, status } = this.#misbehaviour;
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
