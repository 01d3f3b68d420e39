import { QueueReader } from "./queue_reader.ts";

/** What the agent says of itself and of the server, and what it is asked to do. */
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
  /** How the watched folders stand, in JSON. */
  folders: string;
  /** What a person has to mend before it can do what it was told to. */
  problem: string | null;
  /** When it sends, and how fast, as a person wrote it; `null` for always, and no limit. */
  schedule: string | null;
  bandwidth: string | null;
  /** How often a `sync` was asked for, and up to which of them it was done. */
  syncRequested: number;
  syncCompleted: number;
  /** How often it was asked to try the server now. */
  probesRequested: number;
}

/** A person has stopped deliveries. Times are milliseconds since 1970. */
export interface Pause {
  since: number;
  /** `null` if until told otherwise. */
  until: number | null;
}

/** The row by which the agent and the commands tell each other how it goes, and what to do. */
export class AgentRow extends QueueReader {
  /** Returns what the agent last said, and was asked. */
  getAgentState(): AgentState {
    return { ...this.sql.agent.get<AgentState>()! };
  }

  /** Says what has changed; only for the one agent. */
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

  /** Says that everything was tried that was asked for up to this number. */
  completeSync(requested: number): void {
    this.file.write((sql) => sql.completeSync.run(requested));
  }
}
