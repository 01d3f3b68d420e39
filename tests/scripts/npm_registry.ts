import { newAuthority } from "../helpers/certificates.ts";
import { TempDir } from "../helpers/temp_dir.ts";

/** The only package there: its default export is a text. */
const NAME = "greeting";
const VERSION = "1.0.0";
const FILES = {
  "package/package.json": JSON.stringify({
    name: NAME,
    version: VERSION,
    type: "module",
    exports: "./index.js",
  }),
  "package/index.js": 'export default "hello";\n',
};

/**
 * An npm registry on loopback with a package that it makes itself, behind TLS with
 * a certificate of an authority that no system knows.
 */
export class NpmRegistry implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #front = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #relaying: Promise<void>;
  /** The authority's certificate as PEM. */
  readonly authority: string;
  /** What `deno.lock` says of the package. */
  readonly integrity: string;
  /** How many connections are still to be broken as soon as they are made. */
  toBreak: number;
  /** The paths that were fetched. */
  readonly requests: string[] = [];

  private constructor(
    tls: { cert: string; key: string },
    options: {
      authority: string;
      tarball: Uint8Array<ArrayBuffer>;
      integrity: string;
      toBreak: number;
    },
  ) {
    this.authority = options.authority;
    this.integrity = options.integrity;
    this.toBreak = options.toBreak;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {}, ...tls },
      (request) => {
        const url = new URL(request.url);
        if (request.method === "GET") this.requests.push(url.pathname);
        return this.#answer(url, options.tarball);
      },
    );
    this.#relaying = this.#relay();
  }

  static async start({ toBreak = 0 } = {}): Promise<NpmRegistry> {
    const authority = await newAuthority();
    const tarball = await pack();
    const digest = await crypto.subtle.digest("SHA-512", tarball);
    const sum = btoa(String.fromCharCode(...new Uint8Array(digest)));
    return new NpmRegistry(await authority.sign(), {
      authority: authority.cert,
      tarball,
      integrity: `sha512-${sum}`,
      toBreak,
    });
  }

  get url(): string {
    return `https://127.0.0.1:${this.#front.addr.port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#front.close();
    await this.#server.shutdown();
    await this.#relaying;
  }

  #answer({ pathname }: URL, tarball: Uint8Array<ArrayBuffer>): Response {
    if (pathname.endsWith(".tgz")) return new Response(tarball);
    if (pathname !== `/${NAME}`) return new Response(null, { status: 404 });
    const path = `${this.url}${NAME}/-/${NAME}-${VERSION}.tgz`;
    const dist = { tarball: path, integrity: this.integrity };
    return Response.json({
      name: NAME,
      "dist-tags": { latest: VERSION },
      versions: { [VERSION]: { name: NAME, version: VERSION, dist } },
    });
  }

  async #relay(): Promise<void> {
    for await (const client of this.#front) {
      if (this.toBreak > 0) {
        this.toBreak--;
        client.close();
        continue;
      }
      const { hostname, port } = this.#server.addr;
      const server = await Deno.connect({ hostname, port });
      client.readable.pipeTo(server.writable).catch(() => {});
      server.readable.pipeTo(client.writable).catch(() => {});
    }
  }
}

/** Packs the package as npm does. */
async function pack(): Promise<Uint8Array<ArrayBuffer>> {
  await using dir = new TempDir();
  for (const [name, content] of Object.entries(FILES)) dir.write(name, content);
  const { code, stdout, stderr } = await new Deno.Command("tar", {
    args: ["--format=ustar", "-C", dir.path, "-czf", "-", "package"],
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return stdout;
}
