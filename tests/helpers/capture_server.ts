/** One upload as a server saw it. */
export interface SeenUpload {
  key: string;
  filename: string;
  metadata: Record<string, unknown>;
  bytes: Uint8Array;
  /** The header `authorization`. */
  token: string | null;
}

/** A server whose every answer a test decides; it keeps what it was sent. */
export class CaptureServer implements AsyncDisposable {
  readonly uploads: SeenUpload[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /** Uploads that have begun and were not answered. */
  inFlight = 0;
  /** The most of them at a time. */
  mostInFlight = 0;
  probes = 0;
  ready = true;
  /** What its health page waits for. */
  healthHeld: Promise<void> | undefined;
  /** What it says of its health when it is not ready. */
  unreadyStatus = 503;
  answer: (upload: SeenUpload) => Response | Promise<Response> = created;
  /** What it says to a capture without a file. */
  withoutFile: () => Response = () => new Response("no file", { status: 422 });

  constructor(options: { port?: number } = {}) {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: options.port ?? 0, onListen() {} },
      (request) => this.#handle(request),
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return this.#server.addr.port;
  }

  /** The names of the captures it answered 2xx or otherwise, in the order of arrival. */
  get names(): string[] {
    return this.uploads.map(({ filename }) => filename);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #handle(request: Request): Promise<Response> {
    if (new URL(request.url).pathname === "/health/ready") {
      this.probes++;
      await this.healthHeld;
      return new Response(null, {
        status: this.ready ? 200 : this.unreadyStatus,
      });
    }
    this.inFlight++;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    try {
      const form = await request.formData();
      const file = form.get("file");
      if (!(file instanceof File)) return this.withoutFile();
      const upload = {
        key: request.headers.get("idempotency-key")!,
        filename: file.name,
        metadata: JSON.parse(form.get("metadata") as string),
        bytes: await file.bytes(),
        token: request.headers.get("authorization"),
      };
      this.uploads.push(upload);
      return await this.answer(upload);
    } finally {
      this.inFlight--;
    }
  }
}

/** The answer that a capture is stored. */
export function created({ key }: SeenUpload): Response {
  return Response.json({ id: `server-${key}` }, { status: 201 });
}

/** A URL that nothing listens on. */
export function deadUrl(): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return `http://127.0.0.1:${port}`;
}
