import type { OpenCapture } from "./capture_file.ts";

/** A larger capture shows its progress with every further chunk. */
export const CHUNK_BYTES = 256 * 1024;

/** The rate at which bytes may leave. */
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
 * Returns the bytes that native `FormData` puts around a file.
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
  /** The reason why the file could not be sent whole, if so: `fetch` does not pass it on. */
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

  // Blob lowercases its type, which would break the boundary.
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

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const chunks = this.chunks();
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: () => this.stop(),
    }, { highWaterMark: 0 });
  }

  /** All of it, in order; a chunk may be used until the next one is asked for. */
  async *chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const { head, tail } = this.#envelope;
    const { size } = this.#capture;
    try {
      let at = 0;
      do {
        const before = at === 0 ? head.length : 0;
        const count = Math.min(size - at, this.#pieceBytes);
        const after = at + count === size ? tail.length : 0;
        await this.#turn(before + count);
        const chunk = new Uint8Array(before + count + after);
        if (before > 0) chunk.set(head);
        const content = chunk.subarray(before, before + count);
        const read = count && await this.#capture.read(content, at);
        at += read;
        if (at < size) {
          yield chunk.subarray(0, before + read);
          // The connection has it. Left to the garbage collector, 70 MB would pile up.
          chunk.buffer.transfer(0);
          continue;
        }
        await this.#capture.assertUnchanged();
        chunk.set(tail, before + count);
        this.isWhole = true;
        yield chunk;
      } while (at < size);
    } catch (error) {
      if (!this.#isStopped) this.failure = error as Error;
      throw error;
    } finally {
      this.stop();
    }
  }

  get #pieceBytes(): number {
    return this.#pace?.pieceBytes() ?? CHUNK_BYTES;
  }

  /** Waits until so many bytes may leave; throws if none may any more. */
  async #turn(bytes: number): Promise<void> {
    this.#onProgress();
    if (this.#isHeld) await this.#ended.promise;
    if (!this.#isStopped) await this.#pace?.take(bytes);
    if (this.#isStopped) throw new Error("The request is over");
  }
}
