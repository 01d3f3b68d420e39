import { counted } from "../host/counted.ts";
import { oneLine } from "../host/log.ts";
import { tryTo } from "../host/try_to.ts";

/** An answer as far as it was read. */
export interface Answer {
  status: number;
  /** The media type that it names, without parameters. */
  type: string;
  /** The body as text, at most its start. */
  body: string;
  /** The reason why the body is not whole; `null` if it is. */
  defect: string | null;
  /** How long the server asks to be left alone, in milliseconds, at most an hour. */
  retryAfterMs: number | null;
  /** Whether it came before the whole request had left. */
  isEarly: boolean;
  /** Whether a cache says that it gave a stored answer to another request. */
  isCached?: boolean;
  /** The target of a redirect, which is not followed. */
  location?: string | undefined;
}

/** The capture that was sent, to compare an answer with. */
export interface SentCapture {
  /** In bytes. */
  size: number;
  /** In hexadecimal. */
  sha256: string;
  /** The metadata as JSON text. */
  metadata: string;
}

/** The part of an answer's body about the capture: its id, or a text that came instead. */
export type Proof = { captureId: string } | {
  /** A description of the body without an id. */
  instead: string;
  /** Whether it is the JSON object of a server that could say more. */
  isJson?: true;
} | {
  /** The evidence that the answer is not about the bytes that were sent. */
  contrary: string;
  isJson?: true;
};

const SOMETHING_ELSE = "for something else than was sent";

/** The longest that a server's `Retry-After` is honoured, in milliseconds: an hour. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/** The most that is read of an answer, in bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** The longest id that a server may give, in characters. */
const MAX_ID = 1024;

/**
 * Reads an answer, its body as far as it comes and is not too large.
 *
 * @param isEarly Whether it came before the whole request had left.
 */
export async function readAnswer(
  response: Response,
  isEarly: boolean,
): Promise<Answer> {
  const { status, headers } = response;
  const type = headers.get("content-type") ?? "";
  const location = headers.get("location");
  const serverMs = Date.parse(headers.get("date") ?? "") || Date.now();
  return {
    status,
    type: type.split(";", 1)[0]!.trim().toLowerCase(),
    ...await readBody(response),
    retryAfterMs: parseRetryAfter(headers.get("retry-after"), serverMs),
    isEarly,
    isCached: isCached(headers),
    ...(location !== null && status >= 300 && status < 400 && { location }),
  };
}

/** The headers by which caches say whether an answer is a stored one. */
const CACHE_STATUS = ["x-cache", "x-cache-status", "cf-cache-status"];

function isCached(headers: Headers): boolean {
  return Number(headers.get("age")) > 0 ||
    CACHE_STATUS.some((name) => /^hit/i.test(headers.get(name) ?? ""));
}

async function readBody(
  response: Response,
): Promise<Pick<Answer, "body" | "defect">> {
  const { ok, headers } = response;
  const encoding = headers.get("content-encoding");
  const length = Number(headers.get("content-length") ?? Infinity);
  const decoder = new TextDecoder();
  let body = "";
  let read = 0;
  try {
    // It is bounded already, and the stream would cost more than the answer.
    if (ok && !encoding && length <= MAX_ANSWER_BYTES) {
      return { body: await response.text(), defect: null };
    }
    // Leaving the loop cancels the body, which frees the socket.
    for await (const chunk of response.body ?? []) {
      const part = chunk.subarray(0, MAX_ANSWER_BYTES - read);
      body += decoder.decode(part, { stream: true });
      read += chunk.length;
      if (read > MAX_ANSWER_BYTES) {
        return { body, defect: `more than ${MAX_ANSWER_BYTES} bytes` };
      }
    }
  } catch {
    return {
      body,
      defect: "an answer that broke off, or took longer than the timeout",
    };
  }
  return { body, defect: encoding ? `${encoding} encoding` : null };
}

/**
 * Returns the id that a JSON answer carries, as the server wrote it: it proves the
 * delivery unless the answer names another size or hash than that of the bytes sent,
 * or is another request's.
 */
export function proofIn(answer: Answer, sent: SentCapture): Proof {
  if (answer.isCached) return { contrary: "with an answer from a cache" };
  if (answer.defect) return { instead: answer.defect };
  if (answer.body.trim() === "") return { instead: "an empty body" };
  const parsed: unknown = tryTo(() => JSON.parse(answer.body));
  if (parsed === undefined) {
    const isJson = /\bjson$/.test(answer.type);
    return { instead: isJson ? "broken JSON" : answer.type || "no JSON" };
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return { instead: "JSON that is no object" };
  }
  const object = parsed as Record<string, unknown>;
  const { id, size, sha256 } = object;
  if (answer.status < 300 && isFailure(object, sent)) {
    return { contrary: "with an object that says it failed", isJson: true };
  }
  const hash = String(sha256 ?? sent.sha256).toLowerCase()
    .replace(/^sha-?256[:=-]/, "");
  if (hash !== sent.sha256) {
    return { contrary: `${SOMETHING_ELSE}: another sha256` };
  }
  const named = String(size);
  const isNumber = typeof size === "number" || /^\d+$/.test(named);
  if (isNumber && !sizesOf(sent).includes(named)) {
    const other = `${counted(Number(named), "byte")}, expected ${sent.size}`;
    return { contrary: `${SOMETHING_ELSE}: ${other}` };
  }
  const captureId = typeof id === "number" ? digitsOfId(answer.body, id) : id;
  const isUsable = typeof captureId === "string" && captureId.trim() !== "" &&
    captureId.length <= MAX_ID && oneLine(captureId) === captureId;
  if (isUsable) return { captureId };
  const what = id === undefined
    ? "an object without an id"
    : "an object with an unusable id";
  return { instead: what, isJson: true };
}

/**
 * Some servers give an id to every answer, also to one that reports an error. A
 * member that repeats the caller's metadata says nothing.
 */
function isFailure(object: object, { metadata }: SentCapture): boolean {
  const sent = JSON.parse(metadata);
  return Object.entries(object).some(([key, value]) =>
    SAYS_FAILURE.get(key.toLowerCase().replace(/[_-]/g, ""))?.(value) &&
    JSON.stringify(value) !== JSON.stringify(sent[key])
  );
}

const isNo = (value: unknown) => /^(false|no|0)$/i.test(String(value));
const isSaid = (value: unknown): boolean =>
  typeof value === "object" && value !== null
    ? Object.values(value).some(isSaid)
    : Boolean(value) && !/^(none|no|ok|false|0)$/i.test(String(value));
const isBad = (value: unknown) =>
  /^(error|fail(ed|ure)?|rejected|denied|[45]\d\d)$/i.test(String(value));

/** The members by which an answer may say that it failed, in lower case without `_` and `-`. */
const SAYS_FAILURE = new Map(Object.entries({
  ...{ success: isNo, ok: isNo, stored: isNo, accepted: isNo },
  ...{ error: isSaid, errors: isSaid, exception: isSaid },
  ...{ failed: isSaid, iserror: isSaid, haserrors: isSaid },
  ...{ status: isBad, statuscode: isBad, code: isBad, result: isBad },
}));

/** The file's size, and the `size` of the caller's metadata, which a server may repeat. */
function sizesOf({ size, metadata }: SentCapture): string[] {
  return [size, JSON.parse(metadata).size].map(String);
}

/** A number as it was written: one too large for a double would become another. */
function digitsOfId(body: string, id: number): string {
  const parsed = tryTo(() =>
    JSON.parse(
      body,
      (key: string, value: unknown, context?: { source: string }) =>
        key === "id" && typeof value === "number" ? context!.source : value,
    )
  );
  // Without one it is nested so deep that the parser cannot call back.
  return parsed?.id ?? String(id);
}

/** As HTTP writes dates; the last form is without a zone, and means GMT too. */
const HTTP_DATE =
  /^(?:[a-z]{3}, \d\d [a-z]{3} \d{4} [\d:]{8} GMT|[a-z]{6,9}, \d\d-[a-z]{3}-\d\d [\d:]{8} GMT|[a-z]{3} [a-z]{3} [ \d]\d [\d:]{8} \d{4}(?<zoneless>))/i;

/**
 * Returns a `Retry-After` value (seconds, or an HTTP date) in milliseconds
 * from `nowMs`: 0 for the past, {@linkcode MAX_RETRY_AFTER_MS} for anything
 * beyond it, the first one's if there are several, `null` if there is none that
 * can be read.
 */
export function parseRetryAfter(
  value: string | null,
  nowMs: number,
): number | null {
  const text = value?.trim() ?? "";
  const seconds = /^[+-]?\d+(\.\d+)?(?=\s*(,|$))/.exec(text)?.[0];
  const date = HTTP_DATE.exec(text);
  const zone = date?.groups?.zoneless === undefined ? "" : " GMT";
  const ms = seconds !== undefined
    ? Number(seconds) * 1000
    : Date.parse(`${date?.[0]}${zone}`) - nowMs;
  if (Number.isNaN(ms)) return null;
  return Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
