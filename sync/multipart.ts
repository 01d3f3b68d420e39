import { CaptureFileError, FileChangedError } from "./outcome.ts";

/**
 * Up to this size a capture leaves as one piece: `fetch` sends a stream in
 * several writes with Nagle's algorithm on, and each upload would wait 40 ms
 * for a delayed acknowledgement.
 */
export const ONE_PIECE_BYTES = 1024 * 1024;

/** Larger chunks cost memory, smaller ones throughput: 0.8 GB/s at 64 KiB, 1.3 at 128. */
const CHUNK_BYTES = 128 * 1024;

/** Everything of a multipart body but the file's bytes, encoded by native `FormData`. */
export interface Envelope {
  head: Uint8Array;
  tail: Uint8Array;
  /** The content type with its boundary. */
  type: string;
}

/** What an {@linkcode Envelope} is made of. */
export interface EnvelopeParts {
  /** A JSON object as text. */
  metadataJson: string;
  filename: string;
  contentType: string;
}

/** Encodes a form whose file part is empty: the bytes around the file are head and tail. */
export async function encodeEnvelope(parts: EnvelopeParts): Promise<Envelope> {
  const form = new FormData();
  form.append("metadata", parts.metadataJson);
  form.append(
    "file",
    new Blob([], { type: parts.contentType }),
    parts.filename,
  );
  const response = new Response(form);
  const type = response.headers.get("content-type")!;
  const bytes = await response.bytes();
  const end = endOfFile(bytes, type);
  return { head: bytes.subarray(0, end), tail: bytes.subarray(end), type };
}

/** Where the empty file is in an encoded form: before the line break of the last boundary. */
function endOfFile(form: Uint8Array, type: string): number {
  const boundary = type.slice(type.indexOf("boundary=") + "boundary=".length);
  const closing = new TextEncoder().encode(`\r\n--${boundary}--`);
  // Deno ends a form with or without a line break, depending on its version.
  for (let at = form.length - closing.length; at >= 0; at--) {
    if (closing.every((byte, i) => form[at + i] === byte)) return at;
  }
  throw new Error("Cannot find the end of the encoded form");
}

/** A capture's bytes, open for one attempt, as they were when it was opened. */
export interface OpenCapture extends Disposable {
  /** In bytes. */
  readonly size: number;
  readonly mtimeMs: number;
  /** Reads some of the next bytes; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  readSync(into: Uint8Array): number | null;
  /** @throws {FileChangedError} if the capture is not what it was when it was opened. */
  assertUnchanged(): void;
}

/** Opens bytes that are in memory. */
export function bytesCapture(data: Uint8Array, mtimeMs: number): OpenCapture {
  let at = 0;
  const readSync = (into: Uint8Array): number | null => {
    const part = data.subarray(at, at + into.length);
    into.set(part);
    at += part.length;
    return part.length === 0 ? null : part.length;
  };
  return {
    size: data.length,
    mtimeMs,
    read: (into) => Promise.resolve(readSync(into)),
    readSync,
    assertUnchanged() {},
    [Symbol.dispose]() {},
  };
}

/**
 * Opens a capture's file for one attempt.
 *
 * @param expected What it must be; by default whatever it is now.
 * @throws {CaptureFileError} if it is gone, unreadable, not a regular file, or
 * not what was expected.
 */
export function openCapture(
  path: string,
  expected?: { size: number; mtimeMs: number },
): OpenCapture {
  let file: Deno.FsFile;
  try {
    // Before opening: opening a pipe would wait for its writer.
    assertRegular(path, Deno.statSync(path));
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    throw fileError(path, error);
  }
  const { size, mtime } = file.statSync();
  const mtimeMs = mtime?.getTime() ?? 0;
  if (expected && (expected.size !== size || expected.mtimeMs !== mtimeMs)) {
    file.close();
    throw new CaptureFileError(
      `Cannot send "${path}": it was changed after it was handed over`,
    );
  }
  return {
    size,
    mtimeMs,
    read: (into) => file.read(into),
    readSync: (into) => file.readSync(into),
    assertUnchanged() {
      const now = file.statSync();
      if (now.size !== size || now.mtime?.getTime() !== mtime?.getTime()) {
        throw changed(size);
      }
    },
    [Symbol.dispose]: () => file.close(),
  };
}

function assertRegular(path: string, info: Deno.FileInfo): void {
  if (info.isFile) return;
  const kind = info.isDirectory ? "a directory" : "not a regular file";
  throw new CaptureFileError(
    `Cannot read the capture "${path}": it is ${kind}, expected a file`,
  );
}

/** Only what stays so however often it is tried; the rest (no descriptors left) may pass. */
function fileError(path: string, error: unknown): unknown {
  const lasting = error instanceof Deno.errors.NotFound
    ? "the file is gone"
    : error instanceof Deno.errors.PermissionDenied
    ? "permission denied"
    : error instanceof Deno.errors.NotADirectory ||
        error instanceof Deno.errors.FilesystemLoop
    ? error.message
    : null;
  if (lasting === null) return error;
  return new CaptureFileError(
    `Cannot read the capture "${path}": ${lasting}`,
    { cause: error },
  );
}

/**
 * Returns the whole request body as one piece.
 *
 * @throws {FileChangedError} if the file is not what it was when it was opened.
 */
export function onePieceBody(
  envelope: Envelope,
  capture: OpenCapture,
): Uint8Array<ArrayBuffer> {
  const { head, tail } = envelope;
  const body = new Uint8Array(head.length + capture.size + tail.length);
  const end = head.length + capture.size;
  body.set(head, 0);
  for (let at = head.length; at < end;) {
    const read = capture.readSync(body.subarray(at, end));
    if (read === null) throw changed(capture.size);
    at += read;
  }
  capture.assertUnchanged();
  body.set(tail, end);
  return body;
}

/**
 * A request body that is read from disk while it is sent, in memory that does
 * not grow with its size.
 *
 * A `Blob`, because `fetch` sends one with a `Content-Length`, and a bare
 * stream without. The end of the form leaves only after the file was seen to be
 * unchanged, so that a server never takes a torn capture for a whole one.
 */
export class FileBody extends Blob {
  readonly #envelope: Envelope;
  readonly #capture: OpenCapture;
  readonly #onProgress: () => void;
  #failure: Error | undefined;
  #stopped = false;

  constructor(
    envelope: Envelope,
    capture: OpenCapture,
    options: { onProgress: () => void },
  ) {
    super();
    this.#envelope = envelope;
    this.#capture = capture;
    this.#onProgress = options.onProgress;
  }

  /** Why the file could not be sent whole, if so: `fetch` reports only that it was not. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  override get size(): number {
    const { head, tail } = this.#envelope;
    return head.length + this.#capture.size + tail.length;
  }

  // Blob lowercases what it is given, which would break the boundary.
  override get type(): string {
    return this.#envelope.type;
  }

  /** Ends the body at its next read: after an early answer nothing else would. */
  stop(): void {
    this.#stopped = true;
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    let left = this.#capture.size;
    let before: Uint8Array = this.#envelope.head;
    return new ReadableStream({
      pull: async (controller) => {
        if (this.#stopped) {
          return controller.error(new Error("the request is over"));
        }
        try {
          this.#onProgress();
          const chunk = await this.#read(before, left);
          left -= chunk.length - before.length;
          before = new Uint8Array();
          if (left > 0) return controller.enqueue(chunk);
          this.#capture.assertUnchanged();
          controller.enqueue(concat(chunk, this.#envelope.tail));
          controller.close();
        } catch (error) {
          this.#failure = error as Error;
          controller.error(error);
        }
      },
    }, { highWaterMark: 0 });
  }

  /** The next chunk of the file, behind `before`. */
  async #read(
    before: Uint8Array,
    left: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const chunk = new Uint8Array(before.length + Math.min(left, CHUNK_BYTES));
    chunk.set(before);
    if (left === 0) return chunk;
    const read = await this.#capture.read(chunk.subarray(before.length));
    if (read === null) throw changed(this.#capture.size);
    return chunk.subarray(0, before.length + read);
  }
}

function changed(size: number): FileChangedError {
  return new FileChangedError(
    `The file changed while it was sent (it had ${size} bytes): expected it to be finished`,
  );
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
