/** The description of a capture: a JSON object. */
export type Metadata = Record<string, unknown>;

/** The largest metadata accepted, in bytes of JSON as UTF-8: 1 MiB. */
export const MAX_METADATA_BYTES = 1024 * 1024;

/** The deepest nesting accepted: parsers on the server's side stop not far above it. */
export const MAX_METADATA_DEPTH = 100;

/** The host's facts about a capture's file. */
export interface HostFacts {
  /** Its base name. */
  name: string;
  /** In bytes. */
  size: number;
  /** In milliseconds since 1970. */
  mtimeMs: number;
  /** The name of the host that took it over. */
  hostname: string;
  /** The SHA-256 of its bytes, in hexadecimal. */
  sha256: string;
}

/**
 * Returns the metadata as JSON text.
 *
 * @throws {TypeError} if it is not a JSON object, or is nested deeper than
 * {@linkcode MAX_METADATA_DEPTH}.
 * @throws {RangeError} if its JSON is larger than {@linkcode MAX_METADATA_BYTES}.
 */
export function encodeMetadata(metadata: unknown): string {
  assertObject(metadata);
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
 * Returns metadata that is JSON text already, as it was written but for a byte
 * order mark: every number keeps its digits.
 *
 * @throws {TypeError} if the text is not JSON, not an object, or too deep. The
 * message does not repeat the text: metadata is private.
 * @throws {RangeError} if it is larger than {@linkcode MAX_METADATA_BYTES}.
 */
export function checkMetadata(text: string): string {
  const checked = text.trim()
    // UTF-8 cannot say half of a surrogate pair; in JSON only strings can hold one.
    .replace(/\p{Cs}/gu, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
  parseMetadata(checked);
  return checked;
}

/**
 * Returns metadata that is JSON text in UTF-8, as {@linkcode checkMetadata} does.
 *
 * @throws {TypeError} if the bytes are no UTF-8: replaced, they would be another
 * text.
 * @throws as {@linkcode checkMetadata} does.
 */
export function decodeMetadata(bytes: Uint8Array): string {
  if (bytes.length > MAX_METADATA_BYTES) throw tooLarge();
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const mark = bytes[0]! << 8 | bytes[1]!;
    const what = [0xfeff, 0xfffe].includes(mark) ? "it is UTF-16" : "it is not";
    throw new TypeError(
      `Cannot read the metadata: expected JSON in UTF-8, ${what}`,
    );
  }
  return checkMetadata(text);
}

function parseMetadata(text: string): Metadata {
  assertSize(text);
  // By the text, because a megabyte of brackets is hundreds of thousands of objects.
  if (depthOf(text) > MAX_METADATA_DEPTH) throw tooDeep();
  let value: unknown;
  try {
    value = JSON.parse(text.trim());
  } catch {
    // Without the parser's own message, which quotes the text.
    throw new TypeError(
      'Cannot read the metadata: expected a JSON object like {"title": "Door 3"}',
    );
  }
  assertObject(value);
  return value;
}

/**
 * Returns the metadata together with the host's facts about the file: the keys
 * `timestamp` (its modification time, if that is one), `hostname`, `filename` and
 * `size`, where the caller's win, and `sha256`, where the host's does. The caller's
 * own values stay as they are, to the digit.
 *
 * @throws as {@linkcode checkMetadata} does.
 */
export function withHostMetadata(text: string, facts: HostFacts): string {
  const given = parseMetadata(text);
  const modified = new Date(facts.mtimeMs);
  const isTime = !Number.isNaN(modified.getTime());
  const known: Metadata = {
    // Some file systems keep times that no date can express.
    timestamp: isTime ? modified.toISOString() : undefined,
    hostname: facts.hostname,
    filename: facts.name,
    size: facts.size,
    sha256: facts.sha256,
  };
  const isClaimed = Object.hasOwn(given, "sha256") &&
    given.sha256 !== facts.sha256;
  for (const key of Object.keys(given)) {
    if (key !== "sha256" || !isClaimed) delete known[key];
  }
  const own = isClaimed
    ? withEntries(text, { sha256: undefined })
    : text.trim();
  const members = [JSON.stringify(known), own]
    .map((object) => object.slice(1, -1).trim());
  return `{${members.filter((text) => text !== "").join(",")}}`;
}

/**
 * Returns the text of an object with some keys set, or taken out where the value is
 * `undefined`; numbers keep their digits.
 */
export function withEntries(text: string, entries: Metadata): string {
  return JSON.stringify({ ...parseExactly(text.trim()), ...entries });
}

/**
 * Parses JSON whose numbers are written as they were by `JSON.stringify`.
 *
 * @throws {SyntaxError} if it is none.
 */
export function parseExactly(text: string): Record<string, unknown> {
  // TypeScript's types do not have it yet.
  const { rawJSON } = JSON as unknown as { rawJSON(source: string): unknown };
  return JSON.parse(
    text,
    (_key, value: unknown, context?: { source: string }) =>
      typeof value === "number" ? rawJSON(context!.source) : value,
  );
}

function assertObject(value: unknown): asserts value is Metadata {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return;
  }
  const what = value === null || value === undefined
    ? String(value)
    : Array.isArray(value)
    ? "an array"
    : `a ${typeof value}`;
  throw new TypeError(`Cannot use ${what} as metadata: expected a JSON object`);
}

function assertSize(text: string): void {
  // A UTF-16 unit is one to three bytes of UTF-8: few texts have to be encoded.
  const tooLong = text.length > MAX_METADATA_BYTES ||
    text.length * 3 > MAX_METADATA_BYTES &&
      new TextEncoder().encode(text).length > MAX_METADATA_BYTES;
  if (tooLong) throw tooLarge();
}

function assertDepth(root: object): void {
  let level = childrenOf(root);
  for (let depth = 2; level.length > 0; depth++) {
    if (depth > MAX_METADATA_DEPTH) throw tooDeep();
    // Each once: two cycles in one object would double the level every time.
    level = [...new Set(level.flatMap(childrenOf))];
  }
}

function childrenOf(node: object): object[] {
  return Object.values(node)
    .filter((child) => typeof child === "object" && child !== null);
}

/** The depth to which brackets in JSON text are nested. */
function depthOf(text: string): number {
  let [depth, deepest, isInString] = [0, 0, false];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') isInString = !isInString;
    else if (isInString) at += character === "\\" ? 1 : 0;
    else if (character === "[" || character === "{") {
      deepest = Math.max(deepest, ++depth);
    } else if (character === "]" || character === "}") depth--;
  }
  return deepest;
}

function tooLarge(): RangeError {
  return new RangeError(
    `Cannot use metadata of more than ${MAX_METADATA_BYTES} bytes: send large data as the capture's file`,
  );
}

function tooDeep(): TypeError {
  return new TypeError(
    `Cannot use metadata nested deeper than ${MAX_METADATA_DEPTH} levels`,
  );
}
