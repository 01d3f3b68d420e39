import type { Log } from "../host/log.ts";
import type { UploadQueue } from "../queue/queue.ts";
import { OutageLog } from "./outage_log.ts";
import type { Throttle } from "./throttle.ts";

/** Tells the log, and through the queue other processes, how the server stands. */
export class ServerReport {
  readonly #queue: UploadQueue;
  readonly #throttle: Throttle;
  readonly #serverUrl: string;
  readonly #outages: OutageLog;
  #said: unknown;
  #probeAt: number | null = null;

  constructor(
    queue: UploadQueue,
    options: { throttle: Throttle; serverUrl: string; log: Log },
  ) {
    this.#queue = queue;
    this.#throttle = options.throttle;
    this.#serverUrl = options.serverUrl;
    this.#outages = new OutageLog(options.log);
  }

  /**
   * @param isLast Whether this is the last time.
   * @throws {DatabaseError} if the queue cannot be used.
   */
  tell(isLast = false): void {
    const { standing } = this.#throttle;
    const waiting = () => {
      const { pending, uploading } = this.#queue.getStats();
      return pending + uploading;
    };
    this.#outages.note(standing, { waiting, isLast });
    const probeAt = this.#throttle.nextProbeAt;
    if (standing === this.#said && probeAt === this.#probeAt) return;
    this.#queue.setAgentState({
      pid: Deno.pid,
      serverUrl: this.#serverUrl,
      serverState: standing.state,
      serverReason: standing.reason,
      serverSince: standing.since,
      nextProbeAt: probeAt,
    });
    this.#said = standing;
    this.#probeAt = probeAt;
  }

  /**
   * Says that this process is the queue's agent no more.
   *
   * @throws {DatabaseError} if the queue cannot be used.
   */
  end(): void {
    this.tell(true);
    this.#said = undefined;
    this.#queue.setAgentState({ nextProbeAt: null, pid: null });
  }
}
