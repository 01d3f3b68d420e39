export interface ParseServerUrlOptions {
  /**
   * Whether `http://` may be used beyond this machine, where everybody on the
   * way can read captures and token.
   *
   * @default {false}
   */
  allowInsecure?: boolean;
}

/**
 * Returns the server's address with no trailing slash, ready to have
 * `/api/captures` appended.
 *
 * A path is kept, so that a server behind a reverse proxy can live below one.
 *
 * @throws {TypeError} if the text is not an `http://` or `https://` address, or
 * carries credentials, a query or a fragment, has the host `localhost.`, or is plain
 * `http://` to another machine without `allowInsecure`. The message repeats the host
 * at most: the rest may hold a secret.
 */
export function parseServerUrl(
  text: string,
  options: ParseServerUrlOptions = {},
): string {
  const example = 'expected an address like "https://captures.example.org"';
  const url = URL.parse(text.trim());
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new TypeError(`Cannot use the server address: ${example}`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new TypeError(
      `Cannot use a server address with credentials in it (host "${url.host}"): ` +
        "put the token in a file and name that file",
    );
  }
  if (url.search !== "" || url.hash !== "") {
    throw new TypeError(
      `Cannot use a server address with a query or fragment (host "${url.host}"): ${example}`,
    );
  }
  if (url.hostname === "localhost.") {
    throw new TypeError(
      'Cannot use the host "localhost.": with a dot at its end DNS is asked for it, ' +
        'which may name another machine; expected "127.0.0.1"',
    );
  }
  if (isReadableOnTheWay(url) && !options.allowInsecure) {
    throw new TypeError(
      `Cannot use "${url.origin}": plain http:// to another machine sends captures and token ` +
        "readable by everybody on the way; expected https://, or insecure transfer to be allowed",
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** Whether it is plain `http://` to another machine. */
export function isReadableOnTheWay({ protocol, hostname }: URL): boolean {
  return protocol === "http:" && !isThisMachine(hostname);
}

/** Whether data sent to a host stays on this machine for certain. */
export function isThisMachine(hostname: string): boolean {
  // Whoever connects to no address in particular gets to this machine.
  return isLoopback(hostname) ||
    ["0.0.0.0", "[::]", "[::ffff:0:0]"].includes(hostname);
}

/**
 * Whether a host, as `URL` writes it, is this machine and no other machine reaches
 * it there. Other names, even below `localhost`, are asked of DNS.
 */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" ||
    /^127(\.\d{1,3}){3}$/.test(hostname) ||
    /^\[::ffff:7f[\da-f]{2}:[\da-f]{1,4}\]$/.test(hostname);
}
