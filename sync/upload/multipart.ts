import type { OpenCapture } from "./capture_file.ts";

/**
 * Up to this size a capture leaves as one piece: `fetch` sends a stream in
 * several writes with Nagle's algorithm on, and each upload would wait 40 ms
 * for a delayed acknowledgement.
 */
export const ONE_PIECE_BYTES = 1024 * 1024;

/** Smaller chunks cost throughput: 1.2 GB/s at 128 KiB, 1.7 at 256, 2.1 at 512 and more. */
const CHUNK_BYTES = 512 * 1024;

/** Everything of a multipart body but the file's bytes. */
export interface Envelope {
  head: Uint8Array;
  tail: Uint8Array;
  /** The content type with its boundary. */
  type: string;
}

/** What an {@linkcode Envelope} is made of. */
export interface EnvelopeParts {
  /** A JSON object as text, without line breaks. */
  metadataJson: string;
  filename: string;
  contentType: string;
}

const encoder = new TextEncoder();

/**
 * Encodes a form, to the letter as native `FormData` does, which takes longer
 * for it than a small upload takes for all the rest. Each has its own boundary:
 * a capture may hold the traffic of an earlier upload.
 */
export function encodeEnvelope(parts: EnvelopeParts): Envelope {
  const boundary = `----jarvis-${crypto.randomUUID()}`;
  const { metadataJson, filename, contentType } = parts;
  const head = `--${boundary}\r\n` +
    `Content-Disposition: form-data; name="metadata"\r\n\r\n` +
    `${metadataJson}\r\n--${boundary}\r\n` +
    `Content-Disposition: form-data; name="file"; filename="${
      escapeName(filename)
    }"\r\nContent-Type: ${contentType}\r\n\r\n`;
  return {
    head: encoder.encode(head),
    tail: encoder.encode(`\r\n--${boundary}--\r\n`),
    type: `multipart/form-data; boundary=${boundary}`,
  };
}

/** As browsers escape a name in a form. */
function escapeName(name: string): string {
  return name.replaceAll("\n", "%0A").replaceAll("\r", "%0D")
    .replaceAll('"', "%22");
}

/** Where bodies in one piece are put together, if they are no larger than this, in bytes. */
const SCRATCH_BYTES = ONE_PIECE_BYTES + 16 * 1024;
let scratch = new Uint8Array(64 * 1024);

/**
 * Returns the whole request body as one piece, to be used before the next one is
 * made: `fetch` copies a body as soon as it is called, as its standard says.
 * Memory of its own for each would be filled, and collected, for nothing.
 *
 * @throws {CaptureReadError} if the file is not what it was when it was opened.
 */
export function onePieceBody(
  envelope: Envelope,
  capture: OpenCapture,
): Uint8Array<ArrayBuffer> {
  const { head, tail } = envelope;
  const end = head.length + capture.size;
  const body = roomFor(end + tail.length);
  body.set(head);
  for (let at = head.length; at < end;) {
    at += capture.readSync(body.subarray(at, end));
  }
  capture.assertUnchanged();
  body.set(tail, end);
  return body;
}

function roomFor(bytes: number): Uint8Array<ArrayBuffer> {
  if (bytes > SCRATCH_BYTES) return new Uint8Array(bytes);
  if (bytes > scratch.length) {
    scratch = new Uint8Array(Math.min(2 * bytes, SCRATCH_BYTES));
  }
  return scratch.subarray(0, bytes);
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
  readonly #chunkBytes: number;
  readonly #ended = Promise.withResolvers<void>();
  #failure: Error | undefined;
  #isWhole = false;
  #isHeld = false;
  #isStopped = false;

  /**
   * @param options `onProgress` is called whenever the connection takes more,
   * which is `chunkBytes` (512 KiB at most) at a time.
   */
  constructor(
    envelope: Envelope,
    capture: OpenCapture,
    options: { onProgress: () => void; chunkBytes?: number },
  ) {
    super();
    this.#envelope = envelope;
    this.#capture = capture;
    this.#onProgress = options.onProgress;
    this.#chunkBytes = Math.min(options.chunkBytes ?? CHUNK_BYTES, CHUNK_BYTES);
  }

  /** Whether all of it was taken, the end of the form included. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Why the file could not be sent whole, if so: `fetch` reports only that it was not. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Settled when nothing more will be taken, whole or not. Never rejects. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  override get size(): number {
    const { head, tail } = this.#envelope;
    return head.length + this.#capture.size + tail.length;
  }

  // Blob lowercases what it is given, which would break the boundary.
  override get type(): string {
    return this.#envelope.type;
  }

  /** Gives nothing more until it is stopped: breaking off now could cost the answer. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Breaks the body off, if it is not whole: after an early answer nothing else would. */
  stop(): void {
    this.#isStopped = true;
    this.#ended.resolve();
  }

  /** A chunk may be used until the next one is asked for. */
  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    let before: Uint8Array = this.#envelope.head;
    let left = this.#capture.size;
    let chunk = new Uint8Array();
    return new ReadableStream({
      pull: async (controller) => {
        this.#onProgress();
        // The connection has it. Left to the garbage collector, 70 MB would pile up.
        chunk.buffer.transfer(0);
        if (this.#isHeld) await this.ended;
        try {
          if (this.#isStopped) throw new Error("The request is over");
          chunk = await this.#read(before, left);
          left -= chunk.length - before.length;
          before = new Uint8Array();
          if (left === 0) this.#capture.assertUnchanged();
          if (left > 0) return controller.enqueue(chunk);
          controller.enqueue(concat(chunk, this.#envelope.tail));
          controller.close();
          this.#isWhole = true;
        } catch (error) {
          if (!this.#isStopped) this.#failure = error as Error;
          controller.error(error);
        }
        this.stop();
      },
      cancel: () => this.stop(),
    }, { highWaterMark: 0 });
  }

  /** The next chunk of the file, behind `before`. */
  async #read(
    before: Uint8Array,
    left: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const chunk = new Uint8Array(
      before.length + Math.min(left, this.#chunkBytes),
    );
    chunk.set(before);
    if (left === 0) return chunk;
    const read = await this.#capture.read(chunk.subarray(before.length));
    return chunk.subarray(0, before.length + read);
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
