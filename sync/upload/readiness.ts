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

/** Returns what the server says of itself: it is ready with HTTP 200 only. Never throws. */
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
