import type { AgentParts } from "./agent_options.ts";
import { isOutage } from "./server_state.ts";
import { SNOOZE_MS, snoozeMs } from "./snooze.ts";
import type { FailedDelivery } from "./suspects.ts";

/** The longest that one waits which failed again when the server was usable, in milliseconds. */
const MAX_OWN_MS = 600_000;

/**
 * The captures that wait because of the server: while it cannot be used one a minute
 * is tried, each in its turn, and all are due as soon as it can be.
 *
 * They are kept in memory. When the agent ends they are due, and after a crash during
 * an outage everything is.
 */
export class HeldBack {
  readonly #parts: AgentParts;
  /** The time between two trials, in milliseconds. */
  readonly #eachMs: number;
  /** In the order in which they were tried: the first has its turn next. */
  readonly #waiting = new Set<string>();
  /** Those that became due when the server was usable again, and were not tried since. */
  readonly #released = new Set<string>();
  #lastTrialMs = -Infinity;
  /** The one that was made due last, until it was tried. */
  #trial: string | undefined;

  constructor(parts: AgentParts) {
    this.#parts = parts;
    this.#eachMs = parts.snoozeMs ?? SNOOZE_MS;
  }

  /**
   * An attempt ended: returns whether it was made because the server was usable again.
   *
   * @param options `isLocal` is whether it failed before the server was asked: then
   * the next one has its turn.
   */
  attemptEnded(id: string, { isLocal = false } = {}): boolean {
    if (!isLocal) this.#lastTrialMs = performance.now();
    else if (id === this.#trial) this.#lastTrialMs = -Infinity;
    if (id === this.#trial) this.#trial = undefined;
    this.#waiting.delete(id);
    return this.#released.delete(id);
  }

  /**
   * Holds a capture back, unless it asks for a time of its own, or began another outage
   * when the last one was over: that may be its own fault, and it waits twice as long
   * each time. Returns for how many milliseconds it waits.
   */
  add(attempt: FailedDelivery, isTrial: boolean): number {
    const { capture: { id, snoozes }, result, wasReleased } = attempt;
    const ownMs = snoozeMs(result, { snoozes, firstMs: this.#eachMs });
    const isOwn = typeof result?.retryAfterMs === "number" ||
      wasReleased && !isTrial;
    if (isOwn) return Math.min(ownMs, MAX_OWN_MS);
    this.#waiting.add(id);
    // A connection that failed is tried again soon.
    if (ownMs < this.#eachMs) return ownMs;
    // The queue lets none wait longer than an hour.
    return this.#eachMs * this.#waiting.size;
  }

  /** Holds captures back that wait already for a reason of their own. */
  hold(ids: Iterable<string>): void {
    for (const id of ids) this.#waiting.add(id);
  }

  /** Makes the one due that has waited longest, if none was tried for a while. */
  makeNextDue(): void {
    const now = performance.now();
    if (this.#parts.throttle.limit === 0) return;
    if (now - this.#lastTrialMs < this.#eachMs) return;
    const [id] = this.#waiting;
    if (id === undefined) return;
    this.#lastTrialMs = now;
    this.#trial = id;
    // Moved to the end: it may be gone from the queue, and never come back.
    this.#waiting.delete(id);
    this.#waiting.add(id);
    this.#makeDue(id);
  }

  /** Makes all due, if the server is usable. */
  makeAllDue(): void {
    if (this.#parts.throttle.server.state !== "ready") return;
    for (const id of this.#waiting) {
      this.#released.add(id);
      this.#makeDue(id);
    }
    this.#waiting.clear();
  }

  /**
   * Makes all due that waits if the last agent was killed during an outage: it could not.
   *
   * @throws {DatabaseError} if the queue cannot be used.
   */
  makeDueAfterCrash(): void {
    const { queue } = this.#parts;
    const { pid, serverState } = queue.getAgentState();
    if (pid !== null && isOutage(serverState)) queue.makeAllDue();
  }

  /**
   * Makes all due for the next agent, when all outcomes are recorded.
   *
   * @throws {DatabaseError} if the queue cannot be used.
   */
  makeDueAtEnd(): void {
    const ids = [...this.#waiting];
    this.#parts.queue.complete(ids.map((id) => ({ id, kind: "due" })));
    this.#waiting.clear();
  }

  /** Queued after the outcomes so far, which may not be recorded yet. */
  #makeDue(id: string): void {
    this.#parts.completer.add({ completion: { id, kind: "due" } });
  }
}
