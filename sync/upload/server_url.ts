/** Options for {@linkcode parseServerUrl}. */
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
 * carries credentials, a query or a fragment, or is plain `http://` to another
 * machine without `allowInsecure`. The message repeats the host at most: the rest
 * may hold a secret.
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
  const insecure = url.protocol === "http:" && !isLoopback(url.hostname);
  if (insecure && !options.allowInsecure) {
    throw new TypeError(
      `Cannot use "${url.origin}": plain http:// to another machine sends captures and token ` +
        "readable by everybody on the way; expected https://, or insecure transfer to be allowed",
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** Whether a host is this machine for certain: other names below `localhost` are asked of DNS. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" ||
    /^127(\.\d{1,3}){3}$/.test(hostname);
}
