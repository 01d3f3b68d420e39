/** What an upload's body has to be: a form with `metadata` and `file`. */

import type { IncomingCapture } from "./incoming_capture.ts";
import { MultipartError, type MultipartPart } from "./multipart_parser.ts";

const MAX_METADATA_BYTES = 16 * 1024 * 1024;

/** What a form said of its capture. */
export interface CaptureForm {
  /** The file name as the client sent it. */
  filename: string;
  /** The content type as the client sent it. */
  contentType: string;
  /** The JSON object in the field `metadata`. */
  metadata: Record<string, unknown>;
}

/** The body of a request, which also tells when the client is gone. */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #failed = false;

  constructor(request: Request) {
    this.#reader = request.body?.getReader();
  }

  /** Whether the client went away before the end. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Yields what has not been read yet; may be called again to go on. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let chunk; (chunk = await this.#read()) !== undefined;) yield chunk;
  }

  /** Reads at most `maxBytes` more and forgets them. Never throws. */
  async skip(maxBytes: number): Promise<void> {
    try {
      let left = maxBytes;
      for await (const chunk of this) {
        if ((left -= chunk.length) < 0) break;
      }
      await this.#reader?.cancel();
    } catch {
      // The client is gone, and so is what there was to skip.
    }
  }

  async #read(): Promise<Uint8Array | undefined> {
    try {
      return (await this.#reader?.read())?.value;
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }
}

/**
 * Reads a form to its end, the file into `incoming`.
 *
 * The fields may come in any order; others are skipped.
 *
 * @throws {MultipartError} if the form is not what it has to be.
 */
export async function receiveForm(
  parts: AsyncIterable<MultipartPart>,
  incoming: IncomingCapture,
): Promise<CaptureForm> {
  const form: Partial<CaptureForm> = {};
  for await (const part of parts) {
    if (part.name === "metadata" && form.metadata === undefined) {
      form.metadata = parseMetadata(await readAll(part.content));
    } else if (part.name === "file" && form.filename === undefined) {
      if (!part.filename) {
        throw new MultipartError(
          'Cannot take the field "file": expected a file name',
        );
      }
      form.filename = part.filename;
      form.contentType = part.contentType ?? "application/octet-stream";
      for await (const chunk of part.content) await incoming.write(chunk);
    } else if (part.name === "metadata" || part.name === "file") {
      throw new MultipartError(
        `Cannot take the field "${part.name}" twice: expected one capture`,
      );
    }
  }
  const { filename, contentType, metadata } = form;
  if (
    filename === undefined || contentType === undefined ||
    metadata === undefined
  ) {
    throw new MultipartError(
      'Cannot take the form: expected the fields "metadata" and "file"',
    );
  }
  return { filename, contentType, metadata };
}

function parseMetadata(bytes: Uint8Array): Record<string, unknown> {
  let metadata;
  try {
    metadata = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    );
  } catch (cause) {
    throw new MultipartError(
      'Cannot take the field "metadata": expected JSON in UTF-8',
      { cause },
    );
  }
  if (
    typeof metadata !== "object" || metadata === null || Array.isArray(metadata)
  ) {
    throw new MultipartError(
      'Cannot take the field "metadata": expected a JSON object',
    );
  }
  return metadata;
}

async function readAll(
  content: AsyncIterable<Uint8Array>,
): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const chunk of content) {
    length += chunk.length;
    if (length > MAX_METADATA_BYTES) {
      throw new MultipartError(
        `Cannot take the field "metadata": expected at most ${MAX_METADATA_BYTES} bytes`,
      );
    }
    chunks.push(new Uint8Array(chunk));
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}
