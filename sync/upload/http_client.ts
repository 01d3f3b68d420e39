/** Common servers close what was idle for 5 s; a request that crosses that is lost. */
const MAX_IDLE_MS = 4_000;

/**
 * Returns the connections of one uploader.
 *
 * @throws {Error} if the certificates to trust cannot be read.
 */
export function createHttpClient(): Deno.HttpClient {
  try {
    return Deno.createHttpClient({
      // HTTP/2 with a default window of 64 KiB was a fiftieth as fast.
      http2: false,
      poolMaxIdlePerHost: 64,
      poolIdleTimeout: MAX_IDLE_MS,
    });
  } catch (cause) {
    const { message } = cause as Error;
    throw new Error(
      `Cannot prepare TLS: ${message}; expected DENO_TLS_CA_STORE to be unset or "mozilla", "system" or both, and SSL_CERT_FILE to be unset or a readable PEM file`,
      { cause },
    );
  }
}
