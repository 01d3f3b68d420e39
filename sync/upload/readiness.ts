import { readAnswer } from "./answer.ts";
import { describeAnswer, outcomeOfError, refusesToken } from "./outcome.ts";
import { commonHeaders } from "./request.ts";
import { StallGuard } from "./stall_guard.ts";
import { statusText } from "./http_status.ts";

/** Whether a server can be used, and if not, why. */
export type Readiness =
  /** `isPage` is whether it answered with an HTML page, as something else in its place would. */
  | { ready: true; isPage: boolean }
  /** `status` is the HTTP status; `null` if there was no answer. */
  | { ready: false; reason: string; status: number | null };

/** With these a server says that it has no health page. */
const NO_HEALTH_PAGE = [404, 405, 501];

/** Returns why a server is not ready, as far as it says; `null` if it is, or says nothing. */
export function problemOf(readiness: Readiness): string | null {
  if (readiness.ready) return null;
  const { status, reason } = readiness;
  if (status === null) return reason;
  // Without a health page there is nothing to be learnt from it.
  return NO_HEALTH_PAGE.includes(status) ? null : statusText(status);
}

/** The server's answer to a question, or to a capture that it cannot keep. */
export interface Reply {
  /** The HTTP status; `null` if there was no answer. */
  status: number | null;
  /** The status with the server's words, or why there is no answer. */
  reason: string;
  /** The server's time, in milliseconds since 1970, if it sends it. */
  serverTimeMs: number | null;
  /** Whether the answer to a question is an HTML page. */
  isPage?: boolean;
}

/** Whether the answer to the question whether it is ready says so. */
export function readinessOf({ status, reason, isPage }: Reply): Readiness {
  return status === 200
    ? { ready: true, isPage: isPage === true }
    : { ready: false, reason, status };
}

/** Options for a small request. */
export interface AskOptions {
  /** Gives up when it aborts. */
  signal?: AbortSignal;
  /** How long to wait for the answer, in milliseconds. @default {5_000} */
  timeoutMs?: number;
}

/** The token to ask with, and a way to another one where it is refused. */
interface AskToken {
  token: () => string | undefined;
  renewToken?: ((refused: string | undefined) => Promise<boolean>) | undefined;
}

/** Makes a small request, once more if there is another token by then. Never throws. */
export async function ask(
  send: (init: RequestInit) => Promise<Response>,
  { token, renewToken }: AskToken,
  options: AskOptions = {},
): Promise<Reply> {
  let used: string | undefined;
  const askOnce = () => askWith(send, () => used = token(), options);
  const reply = await askOnce();
  const isRenewed = refusesToken(reply.status) && await renewToken?.(used);
  return isRenewed ? await askOnce() : reply;
}

async function askWith(
  send: (init: RequestInit) => Promise<Response>,
  token: () => string | undefined,
  options: AskOptions,
): Promise<Reply> {
  using guard = new StallGuard(options.timeoutMs ?? 5_000, options.signal);
  const { signal } = guard;
  let secret: string | undefined;
  try {
    secret = token();
    const response = await send({ headers: commonHeaders(secret), signal });
    const { status, headers } = response;
    const date = Date.parse(headers.get("date") ?? "");
    const serverTimeMs = Number.isNaN(date) ? null : date;
    if (status === 200) {
      const isPage = await startsAsPage(response);
      return { status, reason: statusText(status), serverTimeMs, isPage };
    }
    const answer = await readAnswer(response, false);
    const reason = describeAnswer(answer, { token: secret });
    return { status, reason, serverTimeMs };
  } catch (cause) {
    const error = guard.hasStalled ? noAnswer(guard) : cause;
    const { error: reason } = outcomeOfError(error, { token: secret });
    return { status: null, reason: reason!, serverTimeMs: null };
  }
}

function noAnswer({ limitMs }: StallGuard): Error {
  const seconds = limitMs / 1000;
  return new Error(
    `Cannot reach the server: it gave no answer within ${seconds} s`,
  );
}

/** Whether a body is said to be HTML and begins as a page does; the rest of it is not read. */
async function startsAsPage({ headers, body }: Response): Promise<boolean> {
  const isHtml = /^text\/html\b/i.test(headers.get("content-type") ?? "");
  if (!isHtml) await body?.cancel();
  if (!isHtml || !body) return false;
  // Leaving the loop cancels it.
  for await (const piece of body) {
    return /^\s*<(!doctype|html|head|body)\b/i.test(
      new TextDecoder().decode(piece),
    );
  }
  return false;
}
