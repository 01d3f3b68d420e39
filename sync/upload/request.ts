import { VERSION } from "../host/version.ts";
import { type Answer, readAnswer } from "./answer.ts";
import { IN_MEMORY_BYTES, type OpenCapture } from "./capture_file.ts";
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

/** On a line that stalled, what is larger than this shows its progress. */
const SLOW_LINE_PIECE_BYTES = 16 * 1024;

/**
 * Up to which size a capture leaves as one piece, which shows no progress: less
 * on a line that stalled, until it is fast again.
 */
export class PieceLimit {
  readonly #timeoutMs: number;
  #bytes = IN_MEMORY_BYTES;

  /** @param timeoutMs The time that one piece has. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** In bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Nothing moved any more. */
  stalled(): void {
    this.#bytes = SLOW_LINE_PIECE_BYTES;
  }

  /** So much got through in so many milliseconds. */
  passed(bytes: number, elapsedMs: number): void {
    const isInTime = bytes / elapsedMs > 2 * IN_MEMORY_BYTES / this.#timeoutMs;
    if (isInTime) this.#bytes = IN_MEMORY_BYTES;
  }
}

/** The body of a request. */
export interface RequestBody {
  /** The content type with its boundary. */
  type: string;
  /** A `FileBody` is sent bit by bit. */
  content: Uint8Array<ArrayBuffer> | FileBody;
  pieces: PieceLimit;
}

/**
 * Returns a form as a request body, with the capture's bytes in its last field.
 *
 * @param form The form, with an empty file as its last field.
 */
export async function bodyOf(
  form: FormData,
  capture: OpenCapture,
  { pieces, guard }: { pieces: PieceLimit; guard: StallGuard },
): Promise<RequestBody> {
  const envelope = await envelopeOf(form);
  const { type } = envelope;
  if (capture.bytes && capture.size <= pieces.bytes) {
    const content = onePieceBody(envelope, capture.bytes);
    return { type, content, pieces };
  }
  const content = new FileBody(envelope, capture, {
    onProgress: () => guard.progress(),
    // What is too slow for a large piece is too slow for large chunks.
    chunkBytes: pieces.bytes,
  });
  return { type, content, pieces };
}

/** Makes the request and reads the answer; the body is over afterwards in any case. */
export async function exchange(
  { content, pieces }: RequestBody,
  guard: StallGuard,
  post: () => Promise<Response>,
): Promise<Answer> {
  const streamed = content instanceof FileBody ? content : undefined;
  // Once there is an answer, `fetch` no longer ends the body by itself.
  if (streamed) guard.signal.addEventListener("abort", () => streamed.stop());
  const startedMs = performance.now();
  try {
    const response = await post();
    const isEarly = streamed?.isWhole === false;
    if (isEarly) streamed.hold();
    const answer = await readAnswer(response, isEarly);
    const bytes = streamed?.size ?? (content as Uint8Array).length;
    pieces.passed(bytes, performance.now() - startedMs);
    return answer;
  } catch (error) {
    if (guard.stalled) pieces.stalled();
    throw streamed?.failure ?? error;
  } finally {
    // Where the server has answered and reads no more, its socket stays until it lets go.
    streamed?.stop();
  }
}
