/** Reads multipart/form-data as it arrives, never holding more than a chunk. */

/** The body is not multipart/form-data as RFC 7578 describes it. */
export class MultipartError extends Error {
  override name = "MultipartError";
}

/** One part of a form, its content still to be read. */
export interface MultipartPart {
  /** The field's name. */
  name: string;
  /** The file name as the client sent it; undefined for a plain field. */
  filename: string | undefined;
  /** The part's own `Content-Type`; undefined if it has none. */
  contentType: string | undefined;
  /** The content. Readable once, and only until the next part is asked for. */
  content: AsyncIterable<Uint8Array>;
}

const MAX_HEAD_BYTES = 16 * 1024;
const ENDS_EARLY = "Cannot read the body: it ends before its closing boundary";
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * Finds the boundary in a `Content-Type` header.
 *
 * @throws {MultipartError} if it is not multipart/form-data, or its boundary
 * is missing or longer than the 70 characters that RFC 2046 allows.
 */
export function multipartBoundary(contentType: string | null): string {
  const found =
    /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i
      .exec(contentType ?? "");
  const boundary = found?.[1] ?? found?.[2];
  if (boundary === undefined || boundary.length > 70) {
    throw new MultipartError(
      `Cannot read the body: expected Content-Type multipart/form-data with a boundary, got ${
        JSON.stringify(contentType)
      }`,
    );
  }
  return boundary;
}

/**
 * Yields the parts of a form one after the other, in the order they arrive.
 *
 * What is left of a part's content is skipped when the next part is asked for.
 * Memory stays at about one chunk of `body`, however long a part is.
 *
 * @throws {MultipartError} if the body is malformed, or ends before its
 * closing boundary. Errors of `body` itself come through as they are.
 */
export async function* readMultipart(
  body: AsyncIterable<Uint8Array>,
  boundary: string,
): AsyncGenerator<MultipartPart> {
  const delimiter = new BytePattern(encoder.encode(`\r\n--${boundary}`));
  const window = new ByteWindow(body);
  await skipAll(untilDelimiter(window, delimiter, { ended: false }));
  for (;;) {
    const head = await readHead(window);
    if (head === undefined) break;
    const state = { ended: false };
    yield {
      ...parseHead(head),
      content: untilDelimiter(window, delimiter, state),
    };
    if (!state.ended) await skipAll(untilDelimiter(window, delimiter, state));
  }
  // What follows the closing boundary means nothing, but belongs to the body.
  while (await window.more()) window.take(window.bytes.length);
}

async function skipAll(content: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of content);
}

/** The bytes that were read from the body and not yet taken. */
class ByteWindow {
  // The first boundary has no line break before it; with one, it is like any other.
  bytes: Uint8Array = encoder.encode("\r\n");
  readonly #source: AsyncIterator<Uint8Array>;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Adds the next chunk; false at the end of the body. */
  async more(): Promise<boolean> {
    const { done, value } = await this.#source.next();
    if (done) return false;
    // Nearly always nothing is left over, so large parts are not copied here.
    if (this.bytes.length === 0) this.bytes = value;
    else {
      const joined = new Uint8Array(this.bytes.length + value.length);
      joined.set(this.bytes);
      joined.set(value, this.bytes.length);
      this.bytes = joined;
    }
    return true;
  }

  take(count: number): Uint8Array {
    const taken = this.bytes.subarray(0, count);
    this.bytes = this.bytes.subarray(count);
    return taken;
  }
}

/** Finds a byte sequence by Horspool's method, which skips most of the bytes. */
class BytePattern {
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #skip: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.length = bytes.length;
    const last = bytes.length - 1;
    this.#skip = new Uint8Array(256).fill(bytes.length);
    bytes.subarray(0, last).forEach((byte, i) => this.#skip[byte] = last - i);
  }

  /** Where the pattern begins in `text`, or -1. */
  indexIn(text: Uint8Array): number {
    const last = this.length - 1;
    for (let end = last; end < text.length;) {
      if (this.#matches(text, end - last, this.length)) return end - last;
      end += this.#skip[text[end]!]!;
    }
    return -1;
  }

  /** How many bytes at the end of `text` may be the pattern's beginning. */
  startedAtEndOf(text: Uint8Array): number {
    // The pattern has one carriage return, its first byte.
    const at = text.lastIndexOf(0x0d);
    const count = text.length - at;
    if (at < 0 || count >= this.length) return 0;
    return this.#matches(text, at, count) ? count : 0;
  }

  #matches(text: Uint8Array, at: number, count: number): boolean {
    // From the end: this is where Horspool's method finds most differences.
    for (let i = count - 1; i >= 0; i--) {
      if (text[at + i] !== this.#bytes[i]) return false;
    }
    return true;
  }
}

const EMPTY_LINE = new BytePattern(encoder.encode("\r\n\r\n"));

async function* untilDelimiter(
  window: ByteWindow,
  delimiter: BytePattern,
  state: { ended: boolean },
): AsyncGenerator<Uint8Array> {
  for (;;) {
    const at = delimiter.indexIn(window.bytes);
    if (at >= 0) {
      const content = window.take(at);
      window.take(delimiter.length);
      // Before the yield: a reader may stop there and never come back.
      state.ended = true;
      if (content.length > 0) yield content;
      return;
    }
    const kept = delimiter.startedAtEndOf(window.bytes);
    const content = window.take(window.bytes.length - kept);
    if (content.length > 0) yield content;
    if (!await window.more()) throw new MultipartError(ENDS_EARLY);
  }
}

/** The header lines of the next part; undefined at the closing boundary. */
async function readHead(window: ByteWindow): Promise<string[] | undefined> {
  for (;;) {
    if (decoder.decode(window.bytes.subarray(0, 2)) === "--") return undefined;
    const end = EMPTY_LINE.indexIn(window.bytes.subarray(0, MAX_HEAD_BYTES));
    if (end >= 0) {
      const head = decoder.decode(window.take(end + EMPTY_LINE.length));
      const [restOfBoundary, ...lines] = head.trimEnd().split("\r\n");
      if (restOfBoundary?.trim()) break;
      return lines;
    }
    if (window.bytes.length >= MAX_HEAD_BYTES) break;
    if (!await window.more()) throw new MultipartError(ENDS_EARLY);
  }
  throw new MultipartError(
    `Cannot read a part: expected a line break after the boundary and headers of at most ${MAX_HEAD_BYTES} bytes`,
  );
}

function parseHead(lines: string[]): Omit<MultipartPart, "content"> {
  const headers = new Map(lines.map((line) => {
    const colon = line.indexOf(":");
    return [
      line.slice(0, colon).trim().toLowerCase(),
      line.slice(colon + 1).trim(),
    ];
  }));
  const disposition = headers.get("content-disposition") ?? "";
  const parameters = parametersOf(disposition);
  const name = parameters.get("name");
  if (!/^form-data\s*;/i.test(disposition) || name === undefined) {
    throw new MultipartError(
      `Cannot read a part: expected Content-Disposition form-data with a name, got ${
        JSON.stringify(disposition)
      }`,
    );
  }
  return {
    name,
    filename: parameters.get("filename"),
    contentType: headers.get("content-type"),
  };
}

/** The parameters of a header as browsers, `fetch` and curl write them. */
function parametersOf(header: string): Map<string, string> {
  // A name may end in a backslash, so a backslash escapes a quote only where
  // another one closes the value.
  const found = header.matchAll(
    /;\s*([^\s;=]+)=(?:"((?:\\"|[^"])*)"(?=\s*(?:;|$))|([^\s;]*))/g,
  );
  return new Map(
    Array.from(found, ([, name, quoted, plain]) => [
      name!.toLowerCase(),
      quoted?.replaceAll('\\"', '"').replace(
        /%22|%0D|%0A/gi,
        decodeURIComponent,
      ) ?? plain!,
    ]),
  );
}
