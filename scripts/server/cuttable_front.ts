/** A listener in front of an HTTP server that can cut a connection for good. */

import { delay } from "@std/async/delay";

const BUFFER_BYTES = 64 * 1024;

/**
 * Passes TCP connections on to a server of the same process.
 *
 * `Deno.serve` has no way to drop a connection: in any case it sends the status line
 * first, and a client may take that for the answer. Here the client sees its
 * connection closed without a byte, as from a server that died.
 */
export class CuttableFront {
  readonly #listener: Deno.TcpListener;
  readonly #upstreamPort: number;
  /** Client and upstream, by the port the upstream server sees as its peer's. */
  readonly #connections = new Map<number, [Deno.TcpConn, Deno.TcpConn]>();
  readonly #drained = Promise.withResolvers<void>();
  #isClosed = false;

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

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Closes both sides of the connection that has this port upstream. */
  cut(peerPort: number): void {
    const pair = this.#connections.get(peerPort);
    this.#connections.delete(peerPort);
    pair?.forEach((connection) => connection.close());
    if (this.#isClosed && this.#connections.size === 0) this.#drained.resolve();
  }

  /**
   * Takes no new connections, and ends those that `isBusy` says have no request.
   * Resolves when the upstream server has ended the others.
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
    if (!this.#isClosed) this.#listener.close();
    this.#isClosed = true;
  }

  async #accept(): Promise<void> {
    while (!this.#isClosed) {
      try {
        this.#join(await this.#listener.accept());
      } catch {
        // Closed; or out of file descriptors, which others will give back.
        if (!this.#isClosed) await delay(100);
      }
    }
  }

  async #join(client: Deno.TcpConn): Promise<void> {
    const upstream = await Deno.connect({ port: this.#upstreamPort })
      .catch(() => undefined);
    // Only while closing, or without file descriptors, does it not connect.
    if (upstream === undefined || this.#isClosed) {
      client.close();
      upstream?.close();
      return;
    }
    const peerPort = upstream.localAddr.port;
    this.#connections.set(peerPort, [client, upstream]);
    await Promise.allSettled([pass(client, upstream), pass(upstream, client)]);
    this.cut(peerPort);
  }
}

/** Copies until one side ends or is cut, and tells the other side. */
async function pass(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  // Small writes must not wait for the acknowledgement of earlier ones.
  to.setNoDelay();
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
