/** What a scripted server does with one request. What it does not read stays unread. */
export type Script = (request: ScriptedRequest) => Promise<void> | void;

/** Options for {@linkcode ScriptedServer}. */
export interface ScriptedServerOptions {
  /** Makes it a TLS server, with this certificate and key as PEM. */
  tls?: { cert: string; key: string };
}

/** The most that is read at a time. */
const MOST_BYTES = 256 * 1024;

/**
 * A bare TCP server that speaks just enough HTTP to misbehave in every way.
 *
 * Each request gets the next script, the last one is repeated. A connection is
 * kept while scripts read their requests to the end.
 */
export class ScriptedServer implements AsyncDisposable {
  /** All requests whose head arrived, in that order. */
  readonly requests: ScriptedRequest[] = [];
  /** How many connections were accepted. */
  accepted = 0;
  readonly #scripts: Script[];
  readonly #listener: Deno.Listener<Deno.Conn>;
  readonly #scheme: string;
  readonly #connections = new Set<Connection>();
  readonly #serving: Promise<void>;
  readonly #errors: unknown[] = [];

  constructor(
    scripts: Script | Script[] = delivered,
    { tls }: ScriptedServerOptions = {},
  ) {
    this.#scripts = [scripts].flat();
    const address = { hostname: "127.0.0.1", port: 0 };
    this.#listener = tls
      ? Deno.listenTls({ ...address, ...tls })
      : Deno.listen(address);
    this.#scheme = tls ? "https" : "http";
    this.#serving = this.#serve();
  }

  get url(): string {
    const { port } = this.#listener.addr as Deno.NetAddr;
    return `${this.#scheme}://127.0.0.1:${port}`;
  }

  /** How many connections are open at this end. */
  get open(): number {
    return this.#connections.size;
  }

  /** The only request, or the last. */
  get last(): ScriptedRequest {
    return this.requests.at(-1)!;
  }

  /**
   * Closes every connection, also from under a script.
   *
   * @throws what a script has thrown.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    await this.#serving;
    if (this.#errors.length > 0) throw this.#errors[0];
  }

  async #serve(): Promise<void> {
    const running: Promise<void>[] = [];
    try {
      for await (const conn of this.#listener) {
        this.accepted++;
        running.push(this.#talk(new Connection(conn)));
      }
    } finally {
      await Promise.all(running);
    }
  }

  async #talk(connection: Connection): Promise<void> {
    this.#connections.add(connection);
    try {
      let request = await ScriptedRequest.receive(connection);
      while (request) {
        const next = Math.min(this.requests.length, this.#scripts.length - 1);
        this.requests.push(request);
        await this.#scripts[next]!(request);
        request = request.isComplete
          ? await ScriptedRequest.receive(connection)
          : null;
      }
    } catch (error) {
      if (!isGone(error)) this.#errors.push(error);
    } finally {
      connection.close();
      this.#connections.delete(connection);
    }
  }
}

/** One request, as far as its script has read it. */
export class ScriptedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  /** How many bytes of the body were read. */
  bodyBytes = 0;
  readonly #connection: Connection;
  readonly #parts: Uint8Array[] = [];

  private constructor(head: string, connection: Connection) {
    const [first = "", ...fields] = head.split("\r\n");
    const [method = "", path = ""] = first.split(" ");
    this.method = method;
    this.path = path;
    this.headers = new Headers(
      fields.map((field) => field.split(/:\s*(.*)/s, 2) as [string, string]),
    );
    this.#connection = connection;
  }

  static async receive(
    connection: Connection,
  ): Promise<ScriptedRequest | null> {
    const head = await connection.readHead();
    return head === null ? null : new ScriptedRequest(head, connection);
  }

  /** The length that the client announced; `NaN` if it announced none. */
  get contentLength(): number {
    const length = this.headers.get("content-length");
    if (length === null) return this.method === "GET" ? 0 : NaN;
    return Number(length);
  }

  /** Whether the whole request was read. */
  get isComplete(): boolean {
    return this.bodyBytes === this.contentLength;
  }

  /** Reads and forgets up to `count` bytes more of the body; returns how many there were. */
  async skip(count = Infinity): Promise<number> {
    const before = this.bodyBytes;
    while (this.bodyBytes < before + count) {
      if (!await this.#read(before + count - this.bodyBytes)) break;
    }
    return this.bodyBytes - before;
  }

  /** Reads and keeps the rest of the body, as much of it as comes. */
  async body(): Promise<Uint8Array<ArrayBuffer>> {
    let part = await this.#read(Infinity);
    for (; part; part = await this.#read(Infinity)) this.#parts.push(part);
    return new Uint8Array(await new Blob(this.#parts as BlobPart[]).bytes());
  }

  /** Reads the body as the form that it should be. */
  async form(): Promise<{ metadata: string; file: File }> {
    const form = await new Response(await this.body(), {
      headers: { "content-type": this.headers.get("content-type")! },
    }).formData();
    return {
      metadata: form.get("metadata") as string,
      file: form.get("file") as File,
    };
  }

  /** Sends these very characters. */
  async send(text: string): Promise<void> {
    await this.sendBytes(new TextEncoder().encode(text));
  }

  async sendBytes(bytes: Uint8Array): Promise<void> {
    await this.#connection.write(bytes);
  }

  /** Sends a complete answer. */
  async answer(
    status: number,
    body = "",
    headers: Record<string, string> = {},
  ): Promise<void> {
    const { length } = new TextEncoder().encode(body);
    const fields = Object.entries({ ...headers, "content-length": length });
    await this.send(
      `HTTP/1.1 ${status} Scripted\r\n` +
        fields.map(([name, value]) => `${name}: ${value}\r\n`).join("") +
        `\r\n${body}`,
    );
  }

  /** Hangs up. A client that sent what was not read sees a reset. */
  close(): void {
    this.#connection.close();
  }

  /** Does nothing, not even read, until the server is closed. */
  async idle(): Promise<void> {
    await this.#connection.closed;
  }

  /** Reads on and forgets it, until the client has closed its end. */
  async gone(): Promise<void> {
    while (await this.#connection.read(MOST_BYTES));
  }

  async #read(count: number): Promise<Uint8Array | null> {
    const left = this.contentLength - this.bodyBytes;
    // Without a length there is no end to wait for.
    if (!(left > 0)) return null;
    const part = await this.#connection.read(Math.min(count, left, MOST_BYTES));
    this.bodyBytes += part?.length ?? 0;
    return part;
  }
}

/** Reads the whole request and takes the capture. */
export const delivered: Script = answering(201, '{"id":"capture-1"}');

/** Reads the whole request and answers. */
export function answering(
  status: number,
  body = "",
  headers: Record<string, string> = {},
): Script {
  return async (request) => {
    await request.body();
    await request.answer(status, body, headers);
  };
}

/** Reads no body and never answers. */
export const hanging: Script = (request) => request.idle();

class Connection {
  readonly #conn: Deno.Conn;
  readonly #closed = Promise.withResolvers<void>();
  #unread = new Uint8Array();
  #isOpen = true;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Reads up to `count` bytes; `null` when the client has gone. */
  async read(count: number): Promise<Uint8Array | null> {
    if (this.#unread.length > 0) {
      const part = this.#unread.subarray(0, count);
      this.#unread = this.#unread.subarray(part.length);
      return part;
    }
    const into = new Uint8Array(count);
    try {
      const read = await this.#conn.read(into);
      return read === null ? null : into.subarray(0, read);
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    }
  }

  /** Reads a request's head without its last line break; `null` when the client has gone. */
  async readHead(): Promise<string | null> {
    let head = "";
    while (true) {
      // Little by little, so that the body stays in the socket.
      const part = await this.read(64);
      if (part === null) return null;
      head += String.fromCharCode(...part);
      // A handshake is no request.
      if (!/^[A-Z]/.test(head)) return null;
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) continue;
      this.#unread = Uint8Array.from(
        head.slice(end + 4),
        (char) => char.charCodeAt(0),
      );
      return head.slice(0, end);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#conn.write(bytes.subarray(at));
    }
  }

  close(): void {
    if (this.#isOpen) this.#conn.close();
    this.#isOpen = false;
    this.#closed.resolve();
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }
}

/** Whether an error says only that one end has closed the connection. */
function isGone(error: unknown): boolean {
  const { errors } = Deno;
  return [
    errors.BadResource,
    errors.BrokenPipe,
    errors.ConnectionAborted,
    errors.ConnectionReset,
    errors.Interrupted,
    errors.InvalidData,
    errors.NotConnected,
    errors.UnexpectedEof,
  ].some((gone) => error instanceof gone);
}
