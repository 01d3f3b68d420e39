import { delay } from "@std/async/delay";

/** How a connection is to be cut. */
interface Cut {
  afterBytes: number;
  side: "request" | "answer";
}

interface Connection {
  client: Deno.TcpConn;
  upstream: Deno.TcpConn;
  cut: Cut | undefined;
}

/**
 * The network between agent and server: passes connections on, cuts them at any
 * byte, or refuses them.
 */
export class Network implements AsyncDisposable {
  /** Where the server listens now; without one, connections are closed at once. */
  upstreamPort: number | undefined;
  readonly port: number;
  readonly #connections = new Set<Connection>();
  #listener: Deno.TcpListener;
  #listening = true;
  #closed = false;
  #cuts: Cut[] = [];

  constructor() {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#accept(this.#listener);
  }

  /** Cuts the next connections that carry so many more bytes on this side. */
  cutNext(count: number, cut: Cut): void {
    this.#cuts.push(...Array.from({ length: count }, () => ({ ...cut })));
    for (const connection of this.#connections) {
      connection.cut ??= this.#cuts.shift();
    }
  }

  /** Cuts nothing any more. */
  heal(): void {
    this.#cuts = [];
    for (const connection of this.#connections) connection.cut = undefined;
  }

  /** Refuses connections for a while. */
  async refuseFor(forMs: number): Promise<void> {
    if (!this.#listening) return;
    this.#stopListening();
    await delay(forMs);
    if (this.#closed) return;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: this.port });
    this.#listening = true;
    this.#accept(this.#listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    if (this.#listening) this.#stopListening();
    return Promise.resolve();
  }

  #stopListening(): void {
    this.#listening = false;
    this.#listener.close();
    for (const connection of this.#connections) close(connection);
  }

  async #accept(listener: Deno.TcpListener): Promise<void> {
    try {
      for await (const client of listener) this.#join(client).catch(() => {});
    } catch {
      // Closed.
    }
  }

  async #join(client: Deno.TcpConn): Promise<void> {
    const { upstreamPort: port } = this;
    const upstream = port === undefined
      ? undefined
      : await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => {});
    if (!upstream) return client.close();
    client.setNoDelay();
    upstream.setNoDelay();
    const connection = { client, upstream, cut: this.#cuts.shift() };
    this.#connections.add(connection);
    await Promise.allSettled([
      pass(connection, "request"),
      pass(connection, "answer"),
    ]);
    this.#connections.delete(connection);
    close(connection);
  }
}

async function pass(
  connection: Connection,
  side: Cut["side"],
): Promise<void> {
  const [from, to] = side === "request"
    ? [connection.client, connection.upstream]
    : [connection.upstream, connection.client];
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      const cut = connection.cut?.side === side ? connection.cut : undefined;
      const end = cut ? Math.min(count, cut.afterBytes) : count;
      for (let at = 0; at < end;) {
        at += await to.write(buffer.subarray(at, end));
      }
      if (cut && (cut.afterBytes -= count) <= 0) return close(connection);
    }
    await to.closeWrite();
  } catch {
    close(connection);
  }
}

function close({ client, upstream }: Connection): void {
  for (const side of [client, upstream]) {
    try {
      side.close();
    } catch {
      // Closed already.
    }
  }
}
