import { createHttpClient } from "./http_client.ts";

const TIMEOUT_MS = 10_000;

export interface PostOptions {
  /** Is sent as JSON. @default {nothing is sent} */
  json?: unknown;
  headers?: Record<string, string>;
  signal: AbortSignal;
}

/**
 * Posts a message to another program over HTTP, like a monitoring service.
 *
 * @throws {Error} if that is not answered with 2xx within 10 s. The message names the
 * host only: the rest of the address may be a secret.
 */
export async function post(url: string, options: PostOptions): Promise<void> {
  const { json, headers = {}, signal } = options;
  const { host } = new URL(url);
  using client = createHttpClient(url);
  let status: number;
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: json === undefined
        ? headers
        : { "content-type": "application/json", ...headers },
      body: json === undefined ? null : JSON.stringify(json),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      // It would take the headers elsewhere.
      redirect: "manual",
      client,
    });
    await response.body?.cancel();
    status = response.status;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // Its message would name the whole address, and its cause with it.
    const { name } = error as Error;
    throw new Error(
      `${host} ${
        name === "TimeoutError" ? "did not answer in time" : "cannot be reached"
      }`,
    );
  }
  if (status >= 200 && status < 300) return;
  throw new Error(`${host} answered HTTP ${status}`);
}
