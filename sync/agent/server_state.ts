/** A wait up to this, in milliseconds, is no outage. */
export const SHORT_WAIT_MS = 5_000;

/** The state of the server, as far as known; a new object for each change. */
export interface ServerState {
  /** `paused` means that it answers, but not as it should. */
  state: "unknown" | "ready" | "down" | "paused";
  reason: string | null;
  /** The start of this state, in milliseconds since 1970. */
  since: number;
}

/** Whether nothing can be sent to a server in this state. */
export function isOutage(state: ServerState["state"] | undefined): boolean {
  return state === "down" || state === "paused";
}

/** The state of a server that was never asked anything. */
export function unknownNow(): ServerState {
  return { state: "unknown", reason: null, since: Date.now() };
}

/** Returns the state after a change; the same if there is none. */
export function changed(
  before: ServerState,
  state: ServerState["state"],
  reason: string | null,
): ServerState {
  if (state === before.state && reason === before.reason) return before;
  const since = state === before.state ? before.since : Date.now();
  return { state, reason, since };
}
