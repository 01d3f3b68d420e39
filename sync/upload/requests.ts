/**
 * The requests of the server's contract, each made once and judged.
 *
 * @module
 */

import { typeByExtension } from "@std/media-types/type-by-extension";
import { extname } from "@std/path";
import type { OpenCapture } from "./capture_file.ts";
import { type Metadata, withHostMetadata } from "../capture/metadata.ts";
import { encodeEnvelope, FileBody, onePieceBody } from "./multipart.ts";
import {
  type Answer,
  type Outcome,
  outcomeOfAnswer,
  outcomeOfError,
} from "./outcome.ts";
import { StallGuard } from "./stall_guard.ts";
import { VERSION } from "../host/version.ts";

/** Sends a request to a path on the server; `fetch`, as far as its user has set it up. */
export type Send = (path: string, init: RequestInit) => Promise<Response>;

/** Where one capture's bytes come from; opened anew for each attempt. */
export interface CaptureSource {
  /** What the server is told as its name. */
  name: string;
  open(): OpenCapture;
}

/** One capture to be sent, and how. */
export interface CaptureRequest {
  source: CaptureSource;
  metadata: Metadata;
  idempotencyKey: string;
  /** Asked once; what it throws is the attempt's failure. */
  token: () => string | undefined;
  /** The longest time without progress, in milliseconds. */
  timeoutMs: number;
  /** Up to this size a capture leaves as one piece. */
  onePieceBytes: number;
  /** Ends the attempt at once. */
  signal: AbortSignal | undefined;
}

/** What became of one attempt. */
export interface Attempt {
  outcome: Outcome;
  /** What was opened; `null` if nothing could be. */
  sent: { size: number; mtimeMs: number } | null;
  /** Whether it was given up for want of progress. */
  stalled: boolean;
  /** How fast the capture got through; 0 if it did not. */
  bytesPerMs: number;
}

/** The most that is read of an answer, in bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** What a header can carry as it is. */
const PRINTABLE = /^[\x21-\x7e]+$/;

/**
 * Tries once to bring a capture to the server; says what came of it rather than throw.
 *
 * @throws the signal's reason, if it aborts before the server has answered.
 */
export async function postCapture(
  send: Send,
  request: CaptureRequest,
): Promise<Attempt> {
  const { source, signal } = request;
  let token: string | undefined;
  let metadata: string | undefined;
  let sent: Attempt["sent"] = null;
  using guard = new StallGuard(request.timeoutMs, signal);
  try {
    token = request.token();
    using capture = source.open();
    sent = { size: capture.size, mtimeMs: capture.mtimeMs };
    metadata = JSON.stringify(
      withHostMetadata(request.metadata, { name: source.name, ...sent }),
    );
    const { type, content } = encode(capture, metadata, request, guard);
    const headers = {
      ...commonHeaders(token),
      "content-type": type,
      "idempotency-key": headerValue(request.idempotencyKey),
    };
    const startedMs = performance.now();
    const answer = await exchange(
      content,
      guard,
      (init) => send("/api/captures", { method: "POST", headers, ...init }),
    );
    const elapsedMs = performance.now() - startedMs;
    return {
      outcome: outcomeOfAnswer(answer, { token, metadata }),
      sent,
      stalled: false,
      bytesPerMs: capture.size / elapsedMs,
    };
  } catch (error) {
    signal?.throwIfAborted();
    return {
      outcome: outcomeOfError(error, { token, metadata }),
      sent,
      stalled: guard.stalled,
      bytesPerMs: 0,
    };
  }
}

/**
 * Asks the server whether it is ready; `true` for HTTP 200 only.
 *
 * @throws whatever kept it from answering.
 */
export async function getReady(
  send: Send,
  request: Pick<CaptureRequest, "token" | "timeoutMs" | "signal">,
): Promise<boolean> {
  using guard = new StallGuard(request.timeoutMs, request.signal);
  const headers = commonHeaders(request.token());
  const response = await send("/health/ready", {
    headers,
    signal: guard.signal,
  });
  await response.body?.cancel();
  return response.status === 200;
}

/** A request's body: one that is a `FileBody` is sent bit by bit. */
type Content = Uint8Array<ArrayBuffer> | FileBody;

function encode(
  capture: OpenCapture,
  metadataJson: string,
  { source: { name }, onePieceBytes }: CaptureRequest,
  guard: StallGuard,
): { type: string; content: Content } {
  const envelope = encodeEnvelope({
    metadataJson,
    filename: name,
    contentType: typeByExtension(extname(name)) ?? "application/octet-stream",
  });
  const content = capture.size > onePieceBytes
    ? new FileBody(envelope, capture, {
      onProgress: () => guard.progress(),
      // What is too slow for a large piece is too slow for large chunks.
      chunkBytes: onePieceBytes,
    })
    : onePieceBody(envelope, capture);
  return { type: envelope.type, content };
}

/** Makes the request and reads the answer; the body is over afterwards in any case. */
async function exchange(
  content: Content,
  guard: StallGuard,
  post: (init: RequestInit) => Promise<Response>,
): Promise<Answer> {
  const { signal } = guard;
  const streamed = content instanceof FileBody ? content : undefined;
  // Once there is an answer, `fetch` no longer ends the body by itself.
  if (streamed) signal.addEventListener("abort", () => streamed.stop());
  try {
    const response = await post({ body: content, signal });
    // Nobody wants the rest of a capture that is refused.
    if (!response.ok) streamed?.hold();
    const body = await readAnswer(response);
    if (response.ok) await streamed?.ended;
    const isWhole = streamed?.isWhole ?? true;
    if (response.ok && !isWhole) signal.throwIfAborted();
    const retryAfter = response.headers.get("retry-after");
    return { status: response.status, body, retryAfter, isWhole };
  } catch (error) {
    throw streamed?.failure ?? error;
  } finally {
    // Where the server has answered and reads no more, its socket stays until it lets go.
    streamed?.stop();
  }
}

/**
 * Reads the start of an answer's body. What goes wrong with the rest changes
 * nothing: the status has said what became of the capture.
 */
async function readAnswer(response: Response): Promise<string> {
  if (response.body === null) return "";
  // Where its length is known it is read at once: a stream costs a small upload dearly.
  const length = response.headers.get("content-length");
  if (response.ok && length !== null && Number(length) <= MAX_ANSWER_BYTES) {
    return await response.text().catch(() => "");
  }
  const decoder = new TextDecoder();
  let text = "";
  let read = 0;
  try {
    // Leaving the loop cancels the body, which frees the socket.
    for await (const chunk of response.body) {
      text += decoder.decode(chunk, { stream: true });
      read += chunk.length;
      if (read >= MAX_ANSWER_BYTES) break;
    }
  } catch {
    // Cut off, or too slow.
  }
  return text.slice(0, MAX_ANSWER_BYTES);
}

/** @throws {Error} if the token cannot be sent; without the token in it, unlike what `fetch` says. */
function commonHeaders(token: string | undefined): Record<string, string> {
  const headers = { "user-agent": `jarvis-agent/${VERSION}` };
  if (!token) return headers;
  if (PRINTABLE.test(token)) {
    return { ...headers, authorization: `Bearer ${token}` };
  }
  throw new Error(
    "Cannot use the token: expected printable ASCII characters without spaces",
  );
}

/** Queue ids are UUIDs; one that another program wrote may be anything. */
function headerValue(text: string): string {
  return PRINTABLE.test(text) ? text : encodeURIComponent(text.toWellFormed());
}
