import { delay } from "@std/async/delay";
import { messageOf } from "../host/message_of.ts";
import { tryTo } from "../host/try_to.ts";
import { PHRASES } from "../upload/http_status.ts";

/** The answer to one path. */
export interface Answer {
  status: number;
  /** The media type. */
  type: string;
  body: string;
}

export interface MonitorServerOptions {
  hostname: string;
  /** From 0 to 65535; 0 takes a free one. */
  port: number;
  /** Answers a path; `undefined` if there is none. */
  answer: (path: string) => Promise<Answer | undefined>;
}

/** How long a client may take to ask, and to take the answer, in milliseconds. */
const CLIENT_MS = 5_000;
/** The largest request, in bytes. */
const MAX_REQUEST_BYTES = 8 * 1024;
/** How many clients are served at a time; for a further one the oldest is let go. */
const MAX_CLIENTS = 16;

/** Names by which this machine alone is reached. */
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

const SECURITY_HEADERS = [
  "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; " +
  "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options: nosniff",
  "Referrer-Policy: no-referrer",
  "Cross-Origin-Resource-Policy: same-origin",
  "Cache-Control: no-store",
];

/**
 * Answers `GET` and `HEAD`, one request a connection, to clients that name this
 * server as its host. A web page elsewhere that has its own name lead here (DNS
 * rebinding) is refused, and a slow client costs a place for five seconds at most,
 * and no other client its answer: `Deno.serve` bounds neither the time nor the number
 * of connections.
 */
export class MonitorServer implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #options: MonitorServerOptions;
  /** The oldest first. */
  readonly #clients = new Map<Deno.TcpConn, Promise<void>>();
  readonly #accepting: Promise<void>;
  #isClosed = false;

  /** @throws {Error} if the address cannot be listened on. */
  constructor(options: MonitorServerOptions) {
    this.#options = options;
    const { hostname, port } = options;
    try {
      this.#listener = Deno.listen({ hostname, port });
    } catch (cause) {
      const message = messageOf(cause);
      throw new Error(
        `Cannot listen on ${hostname}:${port}: ${message}; expected a free port of this machine`,
        { cause },
      );
    }
    this.#accepting = this.#accept();
  }

  /** The address that is listened on, like `127.0.0.1:9464`. */
  get address(): string {
    const { hostname } = this.#options;
    return `${
      hostname.includes(":") ? `[${hostname}]` : hostname
    }:${this.port}`;
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #accept(): Promise<void> {
    while (!this.#isClosed) {
      try {
        const connection = await this.#listener.accept();
        const [oldest] = this.#clients.keys();
        if (oldest && this.#clients.size >= MAX_CLIENTS) {
          // One that asks is answered at once: this one does not.
          close(oldest);
          this.#clients.delete(oldest);
        }
        const serving = this.#serve(connection)
          .finally(() => this.#clients.delete(connection));
        this.#clients.set(connection, serving);
      } catch {
        // Closed, or no descriptor left: then one may be free a little later.
        if (!this.#isClosed) await delay(100);
      }
    }
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    const timer = setTimeout(() => close(connection), CLIENT_MS);
    try {
      const head = await readHead(connection);
      const answer = head === undefined
        ? plain(400, "Cannot read the request")
        : await this.#answer(head);
      const bytes = encode(answer, head?.startsWith("HEAD ") ?? false);
      await connection.writable.getWriter().write(bytes);
      await connection.closeWrite();
    } catch {
      // The client has gone, or was too slow.
    } finally {
      clearTimeout(timer);
      close(connection);
    }
  }

  async #answer(head: string): Promise<Answer> {
    const [, method, target = "/"] = /^([A-Z]+) (\S+) HTTP\/1\.[01]\r\n/
      .exec(head) ?? [];
    if (method === undefined) return plain(400, "Expected HTTP/1.1");
    if (method !== "GET" && method !== "HEAD") {
      return plain(405, "Expected GET: nothing can be changed here");
    }
    if (!this.#isOwnHost(head)) {
      return plain(421, "Expected this machine's own name as the host");
    }
    try {
      const answer = await this.#options.answer(target.split("?")[0]!);
      return answer ?? plain(404, "Expected /, /metrics or /healthz");
    } catch (error) {
      return plain(500, messageOf(error));
    }
  }

  #isOwnHost(head: string): boolean {
    const hosts = [...head.matchAll(/\r\nhost:[ \t]*([^\r\n]*)/gi)]
      .map(([, host]) => host!.trim().toLowerCase());
    // A browser that was lured here by a name sends that name; old probes send none.
    if (hosts.length === 0) return true;
    if (hosts.length > 1) return false;
    const name = hosts[0]!.replace(/:\d+$/, "");
    const own = this.#options.hostname.toLowerCase();
    return [...LOOPBACK, own, `[${own}]`].includes(name) || isAny(own);
  }

  /** Stops to listen, and waits for the clients that are being served. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#listener.close();
    await this.#accepting;
    await Promise.all(this.#clients.values());
  }
}

/** Whether a name stands for every address of this machine: then any name may lead to it. */
function isAny(hostname: string): boolean {
  return hostname === "0.0.0.0" || hostname === "::";
}

/** Reads a request up to its empty line; `undefined` if it is too large or cut off. */
async function readHead(connection: Deno.TcpConn): Promise<string | undefined> {
  const bytes = new Uint8Array(MAX_REQUEST_BYTES);
  let end = 0;
  while (end < bytes.length) {
    const read = await connection.read(bytes.subarray(end));
    if (read === null) return undefined;
    end += read;
    const text = new TextDecoder("latin1").decode(bytes.subarray(0, end));
    const headEnd = text.indexOf("\r\n\r\n");
    if (headEnd !== -1) return text.slice(0, headEnd + 2);
  }
  return undefined;
}

function plain(status: number, text: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n` };
}

/** @param isHead Whether only the head is asked for. */
function encode({ status, type, body }: Answer, isHead: boolean): Uint8Array {
  const encoder = new TextEncoder();
  const head = [
    `HTTP/1.1 ${status} ${PHRASES[status] ?? "OK"}`,
    `Content-Type: ${type}`,
    `Content-Length: ${encoder.encode(body).length}`,
    ...SECURITY_HEADERS,
    "Connection: close",
    "",
    "",
  ].join("\r\n");
  return encoder.encode(isHead ? head : head + body);
}

function close(connection: Deno.TcpConn): void {
  // It may have been closed before.
  tryTo(() => connection.close());
}
