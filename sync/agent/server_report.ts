import { capturesWait } from "../host/counted.ts";
import { durationText } from "../host/duration.ts";
import type { Log } from "../host/log.ts";
import type { AgentParts } from "./agent_options.ts";
import { isOutage, type ServerState, SHORT_WAIT_MS } from "./server_state.ts";

/** Reports the server's state to the log, and through the queue to other processes. */
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
    const { server, nextProbeAt } = throttle;
    this.#outages.note(server, { waiting: () => queue.waiting(), isLast });
    if (server === this.#said && nextProbeAt === this.#probeAt) return;
    queue.setAgentState({
      pid: Deno.pid,
      serverUrl: uploader.serverUrl,
      serverState: server.state,
      serverReason: server.reason,
      serverSince: server.since,
      nextProbeAt,
    });
    this.#said = server;
    this.#probeAt = nextProbeAt;
  }

  /**
   * Records that this process is no longer the queue's agent.
   *
   * @throws {DatabaseError} if the queue cannot be used.
   */
  end(): void {
    this.tell(true);
    this.#said = undefined;
    this.#parts.queue.setAgentState({ nextProbeAt: null, pid: null });
  }
}

/**
 * The time until an outage is mentioned again, and the least until a new cause of it
 * is, in milliseconds.
 */
const REMINDER_MS = 600_000;
const NEW_CAUSE_MS = 60_000;

/** The facts of an outage. */
interface Outage {
  sinceMs: number;
  /** `undefined` while it may be over in moments, and nothing was logged. */
  saidMs?: number;
  /** The causes that were told since the last reminder. */
  told: Set<string | null>;
}

/**
 * Logs an outage when it begins, now and then while it lasts, when its cause changes,
 * and when it is over.
 */
export class OutageLog {
  readonly #log: Log;
  readonly #now: () => number;
  #outage: Outage | undefined;

  /** @param now A clock that never jumps, in milliseconds. */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /**
   * Takes note of the server's present state.
   *
   * @param options `waiting` counts the captures that wait; it is asked only when
   * something is said. `isLast` says that nothing will be noted after this.
   */
  note(
    { state, reason }: ServerState,
    options: { waiting: () => number; isLast?: boolean },
  ): void {
    const { waiting, isLast = false } = options;
    const now = this.#now();
    if (!isOutage(state)) return this.#end(waiting);
    const outage = this.#outage ??= { sinceMs: now, told: new Set() };
    const { sinceMs, saidMs, told } = outage;
    const isNew = saidMs === undefined;
    const isTold = told.has(reason);
    const isTime = isNew
      ? state === "down" || isLast || now - sinceMs >= SHORT_WAIT_MS
      : now - saidMs >= (isTold ? REMINDER_MS : NEW_CAUSE_MS);
    if (!isTime) return;
    if (isTold) told.clear();
    told.add(reason);
    outage.saidMs = now;
    const since = isNew ? "" : ` for ${this.#duration(sinceMs)} now`;
    this.#log(
      "warn",
      `The server cannot be used${since}, ${
        capturesWait(waiting())
      }: ${reason}`,
      { event: "outage" },
    );
  }

  #end(waiting: () => number): void {
    const outage = this.#outage;
    this.#outage = undefined;
    if (outage?.saidMs === undefined) return;
    this.#log(
      "info",
      `The server is usable again after ${this.#duration(outage.sinceMs)}, ${
        capturesWait(waiting())
      } to be delivered`,
      { event: "recovered" },
    );
  }

  #duration(sinceMs: number): string {
    return durationText(this.#now() - sinceMs);
  }
}
