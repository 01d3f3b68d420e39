/** Asked for once: it would be asked for with each capture. */
const HOSTNAME = Deno.hostname();

/** What is said of a capture: a JSON object. */
export type Metadata = Record<string, unknown>;

/** The largest metadata accepted, in bytes of JSON as UTF-8: 1 MiB. */
export const MAX_METADATA_BYTES = 1024 * 1024;

/** The deepest nesting accepted: parsers on the server's side stop not far above it. */
export const MAX_METADATA_DEPTH = 100;

/**
 * Returns the metadata as JSON text.
 *
 * @throws {TypeError} if it is not a JSON object, or is nested deeper than
 * {@linkcode MAX_METADATA_DEPTH}.
 * @throws {RangeError} if its JSON is larger than {@linkcode MAX_METADATA_BYTES}.
 */
export function encodeMetadata(metadata: unknown): string {
  if (!isObject(metadata)) {
    throw new TypeError(
      `Cannot use ${describe(metadata)} as metadata: expected a JSON object`,
    );
  }
  // Before JSON.stringify, which recurses and would run out of stack.
  assertDepth(metadata);
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(metadata);
  } catch (error) {
    cause = error;
  }
  // A Date is an object too, but not in JSON.
  if (!text?.startsWith("{")) {
    throw new TypeError(
      "Cannot write the metadata as JSON: expected an object of strings, numbers, booleans, null, arrays and objects",
      { cause },
    );
  }
  assertSize(text);
  return text;
}

/**
 * Reads metadata from JSON text.
 *
 * @throws {TypeError} if the text is not JSON, not an object, or too deep. The
 * message does not repeat the text: metadata is private.
 * @throws {RangeError} if it is larger than {@linkcode MAX_METADATA_BYTES}.
 */
export function parseMetadata(text: string): Metadata {
  assertSize(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Without the parser's own message, which quotes the text.
    throw new TypeError(
      'Cannot read the metadata: expected a JSON object like {"title": "Door 3"}',
    );
  }
  if (!isObject(value)) {
    throw new TypeError(
      `Cannot use ${describe(value)} as metadata: expected a JSON object`,
    );
  }
  assertDepth(value);
  return value;
}

/**
 * Returns the metadata together with what the host knows of the file:
 * `timestamp` (its modification time, if that is one), `hostname`, `filename`,
 * `size` in bytes. The caller's keys win.
 */
export function withHostMetadata(
  metadata: Metadata,
  file: { name: string; size: number; mtimeMs: number },
): Metadata {
  const modified = new Date(file.mtimeMs);
  return {
    // Some file systems keep times that no date can express.
    ...(!Number.isNaN(modified.getTime()) &&
      { timestamp: modified.toISOString() }),
    hostname: HOSTNAME,
    filename: file.name,
    size: file.size,
    ...metadata,
  };
}

function isObject(value: unknown): value is Metadata {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

function assertSize(text: string): void {
  // A UTF-16 unit is one to three bytes of UTF-8: few texts have to be encoded.
  const tooLong = text.length > MAX_METADATA_BYTES ||
    text.length * 3 > MAX_METADATA_BYTES &&
      new TextEncoder().encode(text).length > MAX_METADATA_BYTES;
  if (tooLong) {
    throw new RangeError(
      `Cannot use metadata of more than ${MAX_METADATA_BYTES} bytes: send large data as the capture's file`,
    );
  }
}

function assertDepth(root: object): void {
  let level = childrenOf(root);
  for (let depth = 2; level.length > 0; depth++) {
    if (depth > MAX_METADATA_DEPTH) {
      throw new TypeError(
        `Cannot use metadata nested deeper than ${MAX_METADATA_DEPTH} levels`,
      );
    }
    // Each once: two cycles in one object would double the level every time.
    level = [...new Set(level.flatMap(childrenOf))];
  }
}

function childrenOf(node: object): object[] {
  return Object.values(node)
    .filter((child) => typeof child === "object" && child !== null);
}
