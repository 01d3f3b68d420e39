import { readAnswer } from "./answer.ts";
import { describeAnswer, outcomeOfError } from "./outcome.ts";
import { commonHeaders } from "./request.ts";
import { StallGuard } from "./stall_guard.ts";

/** Whether a server can be used, and if not, why. */
export type Readiness =
  | { ready: true }
  /** `status` is the HTTP status; `null` if there was no answer. */
  | { ready: false; reason: string; status: number | null };

const TIMEOUT_MS = 5_000;

/** Asks the server whether it is ready, which is HTTP 200 only. Never throws. */
export async function askReadiness(
  get: (init: RequestInit) => Promise<Response>,
  token: () => string | undefined,
  signal: AbortSignal | undefined,
): Promise<Readiness> {
  using guard = new StallGuard(TIMEOUT_MS, signal);
  let secret: string | undefined;
  try {
    secret = token();
    const headers = commonHeaders(secret);
    const response = await get({ headers, signal: guard.signal });
    if (response.status === 200) {
      await response.body?.cancel();
      return { ready: true };
    }
    const answer = await readAnswer(response, false);
    const reason = describeAnswer(answer, { token: secret });
    return { ready: false, reason, status: response.status };
  } catch (error) {
    const { error: reason } = outcomeOfError(error, { token: secret });
    return { ready: false, reason: reason!, status: null };
  }
}

/** The server's answer to a capture that it cannot keep. */
export interface TokenTrial {
  /** The HTTP status; `null` if there was no answer. */
  status: number | null;
  /** The status with the server's words, or why there is no answer. */
  reason: string;
  /** What time it is there, in milliseconds since 1970, if it says so. */
  serverTimeMs: number | null;
}

/** Sends metadata without a file: a server judges the token first. Never throws. */
export async function tryToken(
  post: (init: RequestInit) => Promise<Response>,
  token: () => string | undefined,
  signal: AbortSignal | undefined,
): Promise<TokenTrial> {
  using guard = new StallGuard(TIMEOUT_MS, signal);
  let secret: string | undefined;
  try {
    secret = token();
    const body = new FormData();
    body.append("metadata", "{}");
    const response = await post({
      method: "POST",
      headers: commonHeaders(secret),
      body,
      signal: guard.signal,
    });
    const date = Date.parse(response.headers.get("date") ?? "");
    const answer = await readAnswer(response, false);
    return {
      status: answer.status,
      reason: describeAnswer(answer, { token: secret }),
      serverTimeMs: Number.isNaN(date) ? null : date,
    };
  } catch (error) {
    const { error: reason } = outcomeOfError(error, { token: secret });
    return { status: null, reason: reason!, serverTimeMs: null };
  }
}
