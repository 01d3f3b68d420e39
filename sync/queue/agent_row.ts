import { whole } from "./capture_row.ts";
import { QueueReader } from "./queue_reader.ts";
import type { Row } from "./sqlite.ts";

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

/** A person has stopped deliveries. Times are milliseconds since 1970. */
export interface Pause {
  since: number;
  /** `null` if until told otherwise. */
  until: number | null;
}

/** The row by which the agent and the commands tell each other how it goes, and what to do. */
export class AgentRow extends QueueReader {
  get #row(): Row {
    return this.sql.agent.get()!;
  }

  /** How the watched folders stand, in JSON, as the agent last said. */
  watchedFolders(): string {
    return String(this.#row.folders);
  }

  /** Says how the watched folders stand; only for the one agent. */
  setWatchedFolders(json: string): void {
    this.file.write((sql) => sql.setFolders.run(json));
  }

  /** What a person has to mend before the agent can do what it was told to, or `null`. */
  agentProblem(): string | null {
    return this.#row.problem as string | null;
  }

  /** Says what a person has to mend; only for the one agent. */
  setAgentProblem(problem: string | null): void {
    this.file.write((sql) => sql.setProblem.run(problem));
  }

  /** Says when captures are sent, and how fast; only for the one agent. */
  setTimetables(
    { schedule, bandwidth }: Pick<AgentState, "schedule" | "bandwidth">,
  ): void {
    this.file.write((sql) => sql.setTimetables.run(schedule, bandwidth));
  }

  /** Returns what the agent last said. */
  getAgentState(): AgentState {
    const row = this.#row;
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

  /** Records what the agent says; only for the one agent. */
  setAgentState(saying: AgentSaying): void {
    const { pid, serverUrl, serverState, serverReason } = saying;
    const { serverSince, nextProbeAt } = saying;
    const server = [serverUrl, serverState, serverReason, serverSince];
    this.file.write((sql) => sql.setAgent.run(pid, ...server, nextProbeAt));
  }

  /** Since when and until when a person has stopped deliveries; `null` if they go on. */
  getPause(): Pause | null {
    const row = this.#row;
    const [since, until] = [whole(row.paused_since), whole(row.paused_until)];
    if (since === null || until !== null && until <= this.now()) return null;
    return { since, until };
  }

  /** Stops deliveries until a moment, or with `null` until {@linkcode UploadQueue.resume}; restarts change nothing. */
  pause(untilMs: number | null): void {
    const since = this.getPause()?.since ?? this.now();
    this.file.write((sql) => sql.setPause.run(since, untilMs));
  }

  /** Lets deliveries go on. Returns whether they were stopped. */
  resume(): boolean {
    const wasPaused = this.getPause() !== null;
    this.file.write((sql) => sql.setPause.run(null, null));
    return wasPaused;
  }

  /** Asks the running agent to try now whether the server can be used. */
  requestProbe(): void {
    this.file.write((sql) => sql.requestProbe.run());
  }

  /** How often that was asked for. */
  probesRequested(): number {
    return whole(this.#row.probes_requested) ?? 0;
  }

  /** Asks the running agent to try everything at once; returns the number to wait for. */
  requestSync(): number {
    return this.file.write((sql) => {
      sql.requestSync.run();
      return this.getAgentState().syncRequested;
    });
  }

  /** Says that everything was tried that was asked for up to this number. */
  completeSync(requested: number): void {
    this.file.write((sql) => sql.completeSync.run(requested));
  }
}
