/** A listener in front of an HTTP server that can cut a connection for good. */

const BUFFER_BYTES = 64 * 1024;

import { delay } from "@std/async/delay";

/**
 * Passes TCP connections on to a server of the same process.
 *
 * `Deno.serve` has no way to drop a connection: whatever a handler does, an
 * error in its answer's body included, Deno 2.9 sends the status line first,
 * and a client may take that for the answer. Here the client sees its connection
 * closed or reset without a byte of an answer, as from a server that died.
 */
export class CuttableFront {
  readonly #listener: Deno.TcpListener;
  readonly #upstreamPort: number;
  /** By the port the upstream server sees as its peer's. */
  readonly #connections = new Map<
    number,
    [client: Deno.TcpConn, up: Deno.TcpConn]
  >();
  readonly #drained = Promise.withResolvers<void>();
  #closed = false;

  /**
   * Listens at once.
   *
   * @throws {Deno.errors.AddrInUse} if somebody else listens there.
   */
  constructor(
    address: { hostname: string; port: number },
    upstreamPort: number,
  ) {
    this.#upstreamPort = upstreamPort;
    this.#listener = Deno.listen(address);
    this.#accept();
  }

  /** The port it listens on. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /** Closes both sides of the connection that has this port upstream. */
  cut(peerPort: number): void {
    const pair = this.#connections.get(peerPort);
    this.#connections.delete(peerPort);
    pair?.forEach((connection) => connection.close());
    if (this.#closed && this.#connections.size === 0) this.#drained.resolve();
  }

  /**
   * Takes no new connections, and ends those that `isBusy` says have no request.
   * The others go on, and end when the upstream server ends them.
   *
   * @returns resolves when the last connection has ended
   */
  drain(isBusy: (peerPort: number) => boolean): Promise<void> {
    this.#stopListening();
    for (const [peerPort, [_, upstream]] of this.#connections) {
      // As if the client had left: an answer still on its way gets there.
      if (!isBusy(peerPort)) upstream.closeWrite().catch(() => {});
    }
    if (this.#connections.size === 0) this.#drained.resolve();
    return this.#drained.promise;
  }

  /** Takes no new connections and cuts those there are. */
  close(): void {
    this.#stopListening();
    for (const peerPort of [...this.#connections.keys()]) this.cut(peerPort);
  }

  #stopListening(): void {
    if (!this.#closed) this.#listener.close();
    this.#closed = true;
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        this.#join(await this.#listener.accept());
      } catch {
        // Closed; or out of file descriptors, which others will give back.
        if (!this.#closed) await delay(100);
      }
    }
  }

  async #join(client: Deno.TcpConn): Promise<void> {
    const upstream = await Deno.connect({
      hostname: "127.0.0.1",
      port: this.#upstreamPort,
    }).catch(() => undefined);
    // Only while closing, or without file descriptors, does it not connect.
    if (upstream === undefined || this.#closed) {
      client.close();
      upstream?.close();
      return;
    }
    const peerPort = upstream.localAddr.port;
    this.#connections.set(peerPort, [client, upstream]);
    // Small writes must not wait for the acknowledgement of earlier ones.
    client.setNoDelay();
    upstream.setNoDelay();
    await Promise.allSettled([pass(client, upstream), pass(upstream, client)]);
    this.cut(peerPort);
  }
}

/** Copies until one side ends or is cut, and tells the other side. */
async function pass(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(BUFFER_BYTES);
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      for (let at = 0; at < count;) {
        at += await to.write(buffer.subarray(at, count));
      }
    }
  } finally {
    await to.closeWrite();
  }
}
