import { QueueReader } from "./queue_reader.ts";

/** The agent's state, its view of the server, and the requests to it. */
export interface AgentState {
  /** `null` if it ended in order. */
  pid: number | null;
  serverUrl: string | null;
  serverState: "ready" | "down" | "paused" | "unknown";
  serverReason: string | null;
  /** Since when, in milliseconds since 1970. */
  serverSince: number | null;
  /** When it asks the server again, in milliseconds since 1970; `null` if it need not. */
  nextProbeAt: number | null;
  /** The state of the watched folders, in JSON. */
  folders: string;
  /** A problem that a person has to solve before the agent can follow its settings. */
  problem: string | null;
  /** When it sends, and how fast, as a person wrote it; `null` for always, and no limit. */
  schedule: string | null;
  bandwidth: string | null;
  /** The number of the last `sync` that was asked for, and of the last one done. */
  syncRequested: number;
  syncCompleted: number;
  /** The number of requests to try the server now. */
  probesRequested: number;
}

/** A person has stopped deliveries. Times are milliseconds since 1970. */
export interface Pause {
  since: number;
  /** `null` if until told otherwise. */
  until: number | null;
}

/** The row through which the agent and the commands exchange states and requests. */
export class AgentRow extends QueueReader {
  /** Returns the agent's last state and the requests to it. */
  getAgentState(): AgentState {
    return { ...this.sql.agent.get<AgentState>()! };
  }

  /** Records changes of the agent's state; only for the one agent. */
  setAgentState(
    changes: Partial<Omit<AgentState, `${string}Requested` | "syncCompleted">>,
  ): void {
    this.file.write((sql) => {
      const now = { ...this.getAgentState(), ...changes };
      const { pid, serverUrl, serverState, serverReason, serverSince } = now;
      const { nextProbeAt, folders, problem, schedule, bandwidth } = now;
      sql.setAgent.run(
        ...[pid, serverUrl, serverState, serverReason, serverSince],
        ...[nextProbeAt, folders, problem, schedule, bandwidth],
      );
    });
  }

  /**
   * Since when and until when a person has stopped deliveries; `null` if they go on.
   * One that begins in the future was written by a clock that was ahead: it lasts as
   * long from now on, which is recorded, so that it ends.
   *
   * @throws {DatabaseError} if that cannot be recorded.
   */
  getPause(): Pause | null {
    const { since, until } = this.sql.pause.get<
      Pause | { since: null; until: null }
    >()!;
    const now = this.now();
    if (since === null) return null;
    if (since <= now) {
      return until !== null && until <= now ? null : { since, until };
    }
    const pause = { since: now, until: until && now + (until - since) };
    if (!this.file.looksOnly) this.#setPause(pause);
    return pause;
  }

  /** Stops deliveries until a moment, or with `null` until {@linkcode UploadQueue.resume}; restarts change nothing. */
  pause(until: number | null): void {
    // Not since an earlier pause: how long it lasts would not be known.
    this.#setPause({ since: this.now(), until });
  }

  #setPause({ since, until }: Pause): void {
    this.file.write((sql) => sql.setPause.run(since, until));
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

  /** Asks the running agent to try everything at once; returns the number to wait for. */
  requestSync(): number {
    return this.file.write((sql) => {
      sql.requestSync.run();
      return this.getAgentState().syncRequested;
    });
  }

  /** Records that all requests up to this number are done. */
  completeSync(requested: number): void {
    this.file.write((sql) => sql.completeSync.run(requested));
  }
}
