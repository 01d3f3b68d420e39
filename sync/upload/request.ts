import { VERSION } from "../host/version.ts";
import { type Answer, readAnswer } from "./answer.ts";
import { CHUNK_BYTES, type FileBody } from "./multipart.ts";
import type { StallGuard } from "./stall_guard.ts";

/** Values that a header can carry as they are. */
const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * Returns the headers of every request.
 *
 * @throws {Error} if the token cannot be sent; the message, unlike that of `fetch`,
 * does not repeat it.
 */
export function commonHeaders(
  token: string | undefined,
): Record<string, string> {
  const headers = {
    "user-agent": `jarvis-agent/${VERSION}`,
    // A small answer could inflate to any size.
    "accept-encoding": "identity",
  };
  if (!token) return headers;
  if (PRINTABLE.test(token)) {
    return { ...headers, authorization: `Bearer ${token}` };
  }
  throw new Error(
    "Cannot use the token: expected printable ASCII characters without spaces",
  );
}

/** Returns a key as a header can carry it: different ones stay different. */
export function keyHeader(key: string): string {
  return PRINTABLE.test(key) && !key.includes("%")
    ? key
    : encodeURIComponent(key.toWellFormed());
}

/** Returns a small body as bytes: `fetch` sends those again when a kept connection turns out to be closed. */
export async function contentOf(
  body: FileBody,
): Promise<FileBody | Uint8Array<ArrayBuffer>> {
  if (body.size > CHUNK_BYTES) return body;
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  let at = 0;
  for await (const chunk of body.chunks()) {
    if (chunk.length === body.size) return chunk;
    bytes ??= new Uint8Array(body.size);
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes!;
}

/** Makes the request and reads the answer; the body is over afterwards in any case. */
export async function exchange(
  body: FileBody,
  guard: StallGuard,
  post: () => Promise<Response>,
): Promise<Answer> {
  const { signal } = guard;
  // Once there is an answer, `fetch` no longer ends the body by itself.
  signal.addEventListener("abort", () => body.stop());
  try {
    const response = await post();
    const isEarly = !body.isWhole;
    if (isEarly) body.hold();
    return await readAnswer(response, isEarly);
  } catch (error) {
    const isUnanswered = body.isWhole && guard.hasStalled;
    throw body.failure ?? (isUnanswered ? unanswered(body, guard) : error);
  } finally {
    // If the server has answered and reads no more, its socket stays until the body ends.
    body.stop();
  }
}

/** A server may store slowly: that is another matter than a connection that stands still. */
function unanswered(body: FileBody, { limitMs }: StallGuard): Error {
  const noAnswer = `no answer came within ${limitMs / 1000} s`;
  // A small body is with `fetch` as a whole before there is a connection.
  const reason = body.size > CHUNK_BYTES
    ? `The whole capture was sent, and ${noAnswer}`
    : `The server could not be reached, or has the capture and stores slowly: ${noAnswer}`;
  return new DOMException(reason, "TimeoutError");
}
