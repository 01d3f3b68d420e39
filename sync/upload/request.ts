import { VERSION } from "../host/version.ts";
import { type Answer, readAnswer } from "./answer.ts";
import type { OpenCapture } from "./capture_file.ts";
import { envelopeOf, FileBody, onePieceBody } from "./multipart.ts";
import type { StallGuard } from "./stall_guard.ts";

/** What a header can carry as it is. */
const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * Returns what every request carries.
 *
 * @throws {Error} if the token cannot be sent; without the token in it, unlike what `fetch` says.
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

/** How a capture is sent. */
export interface BodyOptions {
  /** Up to this size a capture leaves as one piece, which shows no progress. */
  onePieceBytes: number;
  guard: StallGuard;
}

/** The body of a request: a `FileBody` is sent bit by bit. */
export interface RequestBody {
  type: string;
  content: Uint8Array<ArrayBuffer> | FileBody;
}

/**
 * Returns a form as a request body, with the capture's bytes in its last field.
 *
 * @param form The form, with an empty file as its last field.
 */
export async function bodyOf(
  form: FormData,
  capture: OpenCapture,
  { onePieceBytes, guard }: BodyOptions,
): Promise<RequestBody> {
  const envelope = await envelopeOf(form);
  const content = capture.bytes && capture.size <= onePieceBytes
    ? onePieceBody(envelope, capture.bytes)
    : new FileBody(envelope, capture, {
      onProgress: () => guard.progress(),
      // What is too slow for a large piece is too slow for large chunks.
      chunkBytes: onePieceBytes,
    });
  return { type: envelope.type, content };
}

/** Makes the request and reads the answer; the body is over afterwards in any case. */
export async function exchange(
  content: RequestBody["content"],
  signal: AbortSignal,
  post: () => Promise<Response>,
): Promise<Answer> {
  const streamed = content instanceof FileBody ? content : undefined;
  // Once there is an answer, `fetch` no longer ends the body by itself.
  if (streamed) signal.addEventListener("abort", () => streamed.stop());
  try {
    const response = await post();
    const isEarly = streamed?.isWhole === false;
    if (isEarly) streamed.hold();
    return await readAnswer(response, isEarly);
  } catch (error) {
    throw streamed?.failure ?? error;
  } finally {
    // Where the server has answered and reads no more, its socket stays until it lets go.
    streamed?.stop();
  }
}
