import { variable, VariableError } from "../host/environment.ts";
import { statIfThere } from "../host/files.ts";
import { messageOf } from "../host/message_of.ts";
import { EXPECTED_PROXY, type Proxy, proxyFor } from "./proxy.ts";
import { isThisMachine } from "./server_url.ts";

/** Common servers close a connection that was idle for 5 s; a request sent at that moment is lost. */
const MAX_IDLE_MS = 4_000;

/** Certificates of one's own, each as PEM. */
export interface TlsOptions {
  /** Authorities to trust beside those that this system trusts. */
  caCerts?: string[];
  /** The certificate for a server that asks for one, and its key. */
  cert?: string;
  key?: string;
}

/**
 * Returns the connections to a server. Those to this machine are made without a
 * proxy, even if the environment names one.
 *
 * @throws {Error} if the certificates cannot be used.
 * @throws {VariableError} if the environment names a proxy that cannot be used: it
 * would be passed over.
 */
export function createHttpClient(
  serverUrl: string,
  tls: TlsOptions = {},
): Deno.HttpClient {
  const { caCerts, cert, key } = tls;
  const { hostname } = new URL(serverUrl);
  const create = () =>
    Deno.createHttpClient({
      ...(caCerts && { caCerts }),
      ...(cert !== undefined && key !== undefined && { cert, key }),
      // HTTP/2 with a default window of 64 KiB was a fiftieth as fast.
      http2: false,
      poolMaxIdlePerHost: 64,
      poolIdleTimeout: MAX_IDLE_MS,
    });
  try {
    assertNoPipe(variable("SSL_CERT_FILE"));
    if (isThisMachine(hostname)) return withoutProxy(hostname, create);
    assertUsable(proxyFor(serverUrl));
    return create();
  } catch (cause) {
    if (cause instanceof VariableError) throw cause;
    const expected = caCerts || cert
      ? "certificates as PEM, and the key that belongs to the client's"
      : 'DENO_TLS_CA_STORE to be unset or "mozilla", "system" or both, and SSL_CERT_FILE to be unset or a readable PEM file';
    throw new Error(
      `Cannot prepare TLS: ${messageOf(cause)}; expected ${expected}`,
      { cause },
    );
  }
}

function assertUsable(proxy: Proxy | undefined): void {
  if (!proxy || proxy.host !== undefined) return;
  throw new VariableError(
    `Cannot use the environment variable ${proxy.name}: expected ${EXPECTED_PROXY}`,
  );
}

/** Deno would wait for ever for somebody to write into it. */
function assertNoPipe(path: string | undefined): void {
  if (!path || !statIfThere(path)?.isFifo) return;
  throw new Error(`"${path}" is a pipe`);
}

/** A client reads the environment when it is created, and has no option for this. */
function withoutProxy<T>(hostname: string, create: () => T): T {
  const before = variable("NO_PROXY");
  Deno.env.set("NO_PROXY", hostname.replace(/^\[(.*)\]$/, "$1"));
  try {
    return create();
  } finally {
    if (before === undefined) Deno.env.delete("NO_PROXY");
    else Deno.env.set("NO_PROXY", before);
  }
}
