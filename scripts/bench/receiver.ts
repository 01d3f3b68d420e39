/**
 * The server of the benchmark where no C compiler is found (else `receiver.c`):
 * takes captures, keeps nothing, and costs as little as can be, so that a rate is
 * the client's and not its own.
 *
 * Raw sockets, because `Deno.serve` makes objects of each request and streams
 * of each body. Prints its port on the first line. `GET /control?latencyMs=20`
 * sets how long each answer waits, zeroes the counts and returns what they were.
 *
 * @module
 */

/** What the receiver has seen since it was last asked. */
export interface Received {
  captures: number;
  bytes: number;
  /** The most captures that were on their way at one time. */
  mostAtOnce: number;
  /** How long all captures together waited for their answers once they were there, in milliseconds. */
  heldMs: number;
  /** When the head of the last capture came, in milliseconds since 1970. */
  lastStartedMs: number;
}

const BUFFER_BYTES = 256 * 1024;
const MAX_HEAD_BYTES = 4 * 1024;
const END_OF_HEAD = "\r\n\r\n";

const decoder = new TextDecoder("latin1");
const encoder = new TextEncoder();
const READY = encoder.encode(
  "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
);
const CONTINUE = encoder.encode("HTTP/1.1 100 Continue\r\n\r\n");
const TAKEN = encoder.encode(
  'HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{"id":"1"}',
);

let latencyMs = 0;
let atOnce = 0;
let received = nothing();

function nothing(): Received {
  return { captures: 0, bytes: 0, mostAtOnce: 0, heldMs: 0, lastStartedMs: 0 };
}

/** One connection: a request head, its body, the answer, and the next one. */
class Connection {
  readonly #conn: Deno.TcpConn;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  /** What was read and not used yet is between these. */
  #from = 0;
  #to = 0;

  constructor(conn: Deno.TcpConn) {
    this.#conn = conn;
    conn.setNoDelay();
  }

  async serve(): Promise<void> {
    try {
      for (let head = await this.#head(); head; head = await this.#head()) {
        await this.#answer(head);
      }
    } catch {
      // The client has gone: nobody is left to be told.
    } finally {
      this.#conn.close();
    }
  }

  async #answer(head: string): Promise<void> {
    if (head.startsWith("GET /control")) return await this.#control(head);
    if (head.startsWith("GET ")) return await this.#send(READY);
    received.lastStartedMs = performance.timeOrigin + performance.now();
    received.mostAtOnce = Math.max(received.mostAtOnce, ++atOnce);
    try {
      if (/^expect:/im.test(head)) await this.#send(CONTINUE);
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      await this.#skip(length);
      const cameMs = performance.now();
      if (latencyMs > 0) {
        await new Promise((resolve) => setTimeout(resolve, latencyMs));
      }
      received.captures++;
      received.bytes += length;
      await this.#send(TAKEN);
      received.heldMs += performance.now() - cameMs;
    } finally {
      atOnce--;
    }
  }

  async #control(head: string): Promise<void> {
    latencyMs = Number(/latencyMs=(\d+)/.exec(head)?.[1] ?? 0);
    const body = JSON.stringify(received);
    received = nothing();
    await this.#send(encoder.encode(
      `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    ));
  }

  /** The next request up to its empty line; `undefined` when the client has closed. */
  async #head(): Promise<string | undefined> {
    while (true) {
      // Not all there is: most of it is the body.
      const to = Math.min(this.#from + MAX_HEAD_BYTES, this.#to);
      const text = decoder.decode(this.#buffer.subarray(this.#from, to));
      const end = text.indexOf(END_OF_HEAD);
      if (end >= 0) {
        this.#from += end + END_OF_HEAD.length;
        return text.slice(0, end);
      }
      this.#buffer.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
      if (this.#to >= MAX_HEAD_BYTES) throw new Error("The head is too large");
      const read = await this.#conn.read(this.#buffer.subarray(this.#to));
      if (read === null) return undefined;
      this.#to += read;
    }
  }

  async #skip(length: number): Promise<void> {
    const had = Math.min(length, this.#to - this.#from);
    this.#from += had;
    for (let left = length - had; left > 0;) {
      const read = await this.#conn.read(
        this.#buffer.subarray(0, Math.min(left, BUFFER_BYTES)),
      );
      if (read === null) throw new Error("The body ended early");
      left -= read;
    }
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#conn.write(bytes.subarray(at));
    }
  }
}

if (import.meta.main) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  console.log(listener.addr.port);
  for await (const conn of listener) new Connection(conn).serve();
}
