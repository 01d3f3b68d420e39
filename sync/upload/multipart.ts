import type { OpenCapture } from "./capture_file.ts";

/** A larger capture shows its progress with every further chunk. */
export const CHUNK_BYTES = 256 * 1024;

/** How fast bytes may leave. */
export interface Pace {
  /** How many at a time, now. */
  pieceBytes(): number;
  /** Waits until so many may. */
  take(bytes: number): Promise<void>;
}

/** Everything of a multipart body but the file's bytes. */
export interface Envelope {
  head: Uint8Array;
  tail: Uint8Array;
  /** The content type with its boundary. */
  type: string;
}

/**
 * Returns what native `FormData` puts around a file.
 *
 * @param form The form, with an empty file as its last field.
 */
export async function envelopeOf(form: FormData): Promise<Envelope> {
  const response = new Response(form);
  const type = response.headers.get("content-type")!;
  const bytes = await response.bytes();
  // Older versions of Deno end a form with a line break.
  const end = `\r\n--${type.split("boundary=")[1]}--`;
  const hasBreak = bytes.at(-1) === "\n".charCodeAt(0);
  const at = bytes.length - end.length - (hasBreak ? 2 : 0);
  return { head: bytes.subarray(0, at), tail: bytes.subarray(at), type };
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
  readonly #pace: Pace | undefined;
  readonly #ended = Promise.withResolvers<void>();
  /** Whether all of it was taken, the end of the form included. */
  isWhole = false;
  /** Why the file could not be sent whole, if so: `fetch` reports only that it was not. */
  failure: Error | undefined;
  #isHeld = false;
  #isStopped = false;

  /** @param onProgress Is called whenever the connection takes more. */
  constructor(
    envelope: Envelope,
    capture: OpenCapture,
    { onProgress, pace }: { onProgress: () => void; pace?: Pace | undefined },
  ) {
    super();
    this.#envelope = envelope;
    this.#capture = capture;
    this.#onProgress = onProgress;
    this.#pace = pace;
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
    let at = 0;
    let chunk = new Uint8Array();
    return new ReadableStream({
      pull: async (controller) => {
        this.#onProgress();
        // The connection has it. Left to the garbage collector, 70 MB would pile up.
        chunk.buffer.transfer(0);
        if (this.#isHeld) await this.#ended.promise;
        try {
          if (this.#isStopped) throw new Error("The request is over");
          const count = this.#countAt(at);
          await this.#pace?.take(before.length + count);
          if (this.#isStopped) throw new Error("The request is over");
          chunk = await this.#read(before, at, count);
          at += chunk.length - before.length;
          before = new Uint8Array();
          if (at < this.#capture.size) return controller.enqueue(chunk);
          await this.#capture.assertUnchanged();
          controller.enqueue(concat(chunk, this.#envelope.tail));
          controller.close();
          this.isWhole = true;
        } catch (error) {
          if (!this.#isStopped) this.failure = error as Error;
          controller.error(error);
        }
        this.stop();
      },
      cancel: () => this.stop(),
    }, { highWaterMark: 0 });
  }

  #countAt(at: number): number {
    const pieceBytes = this.#pace?.pieceBytes() ?? CHUNK_BYTES;
    return Math.min(this.#capture.size - at, pieceBytes);
  }

  /** The file's next chunk, after `before`. */
  async #read(
    before: Uint8Array,
    at: number,
    count: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const chunk = new Uint8Array(before.length + count);
    chunk.set(before);
    if (count === 0) return chunk;
    const read = await this.#capture.read(chunk.subarray(before.length), at);
    return chunk.subarray(0, before.length + read);
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
