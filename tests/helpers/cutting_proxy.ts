/** Stands before a server, and cuts every connection on which a certain text is sent. */
export class CuttingProxy implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serving: Promise<void>;
  cuts = 0;

  constructor(port: number, text: string) {
    this.#serving = this.#serve(port, new RegExp(text));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#serving;
  }

  async #serve(port: number, text: RegExp): Promise<void> {
    try {
      for await (const client of this.#listener) {
        this.#relay(client, port, text).catch(() => {});
      }
    } catch {
      // Closed.
    }
  }

  async #relay(client: Deno.Conn, port: number, text: RegExp): Promise<void> {
    const server = await Deno.connect({ hostname: "127.0.0.1", port });
    server.readable.pipeTo(client.writable).catch(() => {});
    const writer = server.writable.getWriter();
    let end = "";
    for await (const chunk of client.readable) {
      // The text may come in two pieces.
      const sent = end + new TextDecoder().decode(chunk);
      end = sent.slice(-100);
      if (text.test(sent)) {
        this.cuts++;
        server.close();
        return client.close();
      }
      await writer.write(chunk);
    }
    await writer.close();
  }
}
