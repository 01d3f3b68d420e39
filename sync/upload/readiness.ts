import { readAnswer } from "./answer.ts";
import { describeAnswer, outcomeOfError } from "./outcome.ts";
import { commonHeaders } from "./request.ts";
import { StallGuard } from "./stall_guard.ts";
import { statusText } from "./status_text.ts";

/** Whether a server can be used, and if not, why. */
export type Readiness =
  | { ready: true }
  /** `status` is the HTTP status; `null` if there was no answer. */
  | { ready: false; reason: string; status: number | null };

/** The server's answer to a question, or to a capture that it cannot keep. */
export interface Reply {
  /** The HTTP status; `null` if there was no answer. */
  status: number | null;
  /** The status with the server's words, or why there is no answer. */
  reason: string;
  /** The server's time, in milliseconds since 1970, if it sends it. */
  serverTimeMs: number | null;
}

const TIMEOUT_MS = 5_000;

/** Makes a small request. Never throws, and gives up after 5 s. */
export async function ask(
  send: (init: RequestInit) => Promise<Response>,
  token: () => string | undefined,
  outer: AbortSignal | undefined,
): Promise<Reply> {
  using guard = new StallGuard(TIMEOUT_MS, outer);
  const { signal } = guard;
  let secret: string | undefined;
  try {
    secret = token();
    const response = await send({ headers: commonHeaders(secret), signal });
    const { status, headers } = response;
    const date = Date.parse(headers.get("date") ?? "");
    const serverTimeMs = Number.isNaN(date) ? null : date;
    if (status === 200) {
      await response.body?.cancel();
      return { status, reason: statusText(status), serverTimeMs };
    }
    const answer = await readAnswer(response, false);
    const reason = describeAnswer(answer, { token: secret });
    return { status, reason, serverTimeMs };
  } catch (error) {
    const { error: reason } = outcomeOfError(error, { token: secret });
    return { status: null, reason: reason!, serverTimeMs: null };
  }
}
