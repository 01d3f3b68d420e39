/** The capture server's side of the contract, for real, in one process. */

import { deadline } from "@std/async/deadline";
import { delay } from "@std/async/delay";
import { CaptureApi, type CaptureApiOptions } from "./capture_api.ts";
import { CuttableFront } from "./cuttable_front.ts";
import { checkMisbehaviour, type Misbehaviour } from "./misbehaviour.ts";
import { type ReceivedCapture, ReceivedStore } from "./received_store.ts";

/** Options for {@linkcode ReferenceServer}. */
export interface ReferenceServerOptions extends CaptureApiOptions {
  /** The folder for captures. Created if needed. */
  dir: string;
  /** The port to listen on; 0 takes a free one. @default {0} */
  port?: number;
  /** The address to listen on. @default {"127.0.0.1"} */
  hostname?: string;
  /** Whether an answer waits until the capture would survive a power failure. @default {true} */
  fsync?: boolean;
  /** The misbehaviour from the start; `misbehave()` changes it later. @default {none} */
  misbehaviour?: Partial<Misbehaviour>;
}

/**
 * A server that keeps the contract: each capture is streamed to disk, its metadata
 * beside it, and an idempotency key is stored once, even across restarts on the same
 * folder. Memory does not grow with a capture's size if the request says how long it
 * is.
 *
 * @example
 * ```ts
 * await using server = new ReferenceServer({ dir: "./received" });
 * const response = await fetch(`${server.url}/health/ready`);
 * console.log(await response.json());
 * server.misbehave({ dropRate: 1, dropAt: "after" });
 * ```
 */
export class ReferenceServer implements AsyncDisposable {
  readonly #options: ReferenceServerOptions;
  readonly #store: ReceivedStore;
  readonly #api: CaptureApi;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #front: CuttableFront;
  readonly #stopping = new AbortController();
  readonly #busyPorts = new Set<number>();
  #closing: Promise<void> | undefined;

  /**
   * Starts it.
   *
   * @throws {RangeError} if a misbehaviour setting is out of its range.
   * @throws {Deno.errors.AddrInUse} if the port is taken.
   * @throws {Error} if the folder cannot be created, read or written.
   */
  constructor(options: ReferenceServerOptions) {
    this.#options = options;
    this.#store = new ReceivedStore(options.dir, options.fsync ?? true);
    this.#api = new CaptureApi(this.#store, options);
    this.misbehave(options.misbehaviour ?? {});
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

  /** Its address: scheme, host and port, no slash at the end. */
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
   * Changes its misbehaviour, for every request from now on.
   *
   * @throws {RangeError} if a setting is out of its range; then nothing changes.
   */
  misbehave(changes: Partial<Misbehaviour>): void {
    const changed = { ...this.#api.misbehaviour, ...changes };
    checkMisbehaviour(changed);
    this.#api.misbehaviour = changed;
  }

  /** Takes no new connections, lets requests end for a while, then cuts the rest. */
  close(options: { graceMs?: number } = {}): Promise<void> {
    return this.#closing ??= this.#close(options.graceMs ?? 5_000);
  }

  /** Cuts the requests in flight and closes. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close({ graceMs: 0 });
  }

  async #close(graceMs: number): Promise<void> {
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
    this.#busyPorts.add(port);
    try {
      const response = await this.#api.answer(request);
      const { latencyMs } = this.#api.misbehaviour;
      if (latencyMs > 0) {
        await delay(latencyMs, { signal: this.#stopping.signal });
      }
      if (this.#closing) response.headers.set("connection", "close");
      return response;
    } catch {
      // Told to, or closing.
      this.#front.cut(port);
      // Goes nowhere.
      return new Response(null, { status: 500 });
    } finally {
      this.#busyPorts.delete(port);
    }
  }
}
