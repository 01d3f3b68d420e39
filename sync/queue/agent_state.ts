import { whole } from "./capture_row.ts";
import type { Statements } from "./statements.ts";

/** What the running agent says of itself and of the server. */
export interface AgentState {
  pid: number | null;
  serverUrl: string | null;
  serverState: "ready" | "down" | "paused" | "unknown";
  serverReason: string | null;
  /** Since when, in milliseconds since 1970. */
  serverSince: number | null;
  /** When it asks the server again, in milliseconds since 1970; `null` if it need not. */
  nextProbeAt: number | null;
  /** When the agent sends, and how fast, as a person wrote it; `null` for always, and no limit. */
  schedule: string | null;
  bandwidth: string | null;
  /** How often a `sync` was asked for, and up to which of them it was done. */
  syncRequested: number;
  syncCompleted: number;
}

/** What the agent says again and again. */
export type AgentSaying = Omit<
  AgentState,
  "schedule" | "bandwidth" | "syncRequested" | "syncCompleted"
>;

/** Reads what the agent last said. */
export function readAgentState(sql: Statements): AgentState {
  const row = sql.agent.get()!;
  return {
    pid: row.pid as number | null,
    serverUrl: row.server_url as string | null,
    serverState: row.server_state as AgentState["serverState"],
    serverReason: row.server_reason as string | null,
    serverSince: row.server_since as number | null,
    nextProbeAt: row.next_probe_at as number | null,
    schedule: row.schedule as string | null,
    bandwidth: row.bandwidth as string | null,
    syncRequested: Number(row.sync_requested),
    syncCompleted: Number(row.sync_completed),
  };
}

/** Records what the agent says. */
export function writeAgentState(sql: Statements, saying: AgentSaying): void {
  const { pid, serverUrl, serverState, serverReason } = saying;
  const { serverSince, nextProbeAt } = saying;
  const server = [serverUrl, serverState, serverReason, serverSince];
  sql.setAgent.run(pid, ...server, nextProbeAt);
}

/** A person has stopped deliveries. Times are milliseconds since 1970. */
export interface Pause {
  since: number;
  /** `null` if until told otherwise. */
  until: number | null;
}

/** Reads whether deliveries are stopped; a pause that is over is none. */
export function readPause(sql: Statements, nowMs: number): Pause | null {
  const row = sql.agent.get()!;
  const [since, until] = [whole(row.paused_since), whole(row.paused_until)];
  if (since === null || until !== null && until <= nowMs) return null;
  return { since, until };
}
