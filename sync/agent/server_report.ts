import type { AgentParts } from "./agent_options.ts";
import { OutageLog } from "./outage_log.ts";

/** Tells the log, and through the queue other processes, how the server stands. */
export class ServerReport {
  readonly #parts: AgentParts;
  readonly #outages: OutageLog;
  #said: unknown;
  #probeAt: number | null = null;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#outages = new OutageLog(parts.log);
  }

  /**
   * @param isLast Whether this is the last time.
   * @throws {DatabaseError} if the queue cannot be used.
   */
  tell(isLast = false): void {
    const { queue, throttle, uploader } = this.#parts;
    const { standing, nextProbeAt } = throttle;
    const waiting = () => {
      const { pending, uploading } = queue.getStats();
      return pending + uploading;
    };
    this.#outages.note(standing, { waiting, isLast });
    if (standing === this.#said && nextProbeAt === this.#probeAt) return;
    queue.setAgentState({
      pid: Deno.pid,
      serverUrl: uploader.serverUrl,
      serverState: standing.state,
      serverReason: standing.reason,
      serverSince: standing.since,
      nextProbeAt,
    });
    this.#said = standing;
    this.#probeAt = nextProbeAt;
  }

  /**
   * Says that this process is the queue's agent no more.
   *
   * @throws {DatabaseError} if the queue cannot be used.
   */
  end(): void {
    this.tell(true);
    this.#said = undefined;
    this.#parts.queue.setAgentState({ nextProbeAt: null, pid: null });
  }
}
