/** How the server seems: `paused` means that it answers, but not as it should. */
export type ServerState = "unknown" | "ready" | "down" | "paused";

/** Options for {@linkcode Breaker}. */
export interface BreakerOptions {
  /** A clock that never jumps, in milliseconds. @default {performance.now} */
  now?: () => number;
  /** From 0 up to 1. @default {Math.random} */
  random?: () => number;
}

/** Why the server cannot be used now. */
export interface Trip {
  state: "down" | "paused";
  reason: string;
  /** How long the server asked to be left alone, in milliseconds. */
  retryAfterMs?: number | null;
}

/** The shortest and the longest time between two probes, in milliseconds. */
export const MIN_PROBE_MS = 1_000;
export const MAX_PROBE_MS = 60_000;

/** With so many trips in a row the time between probes is the longest. */
const MAX_TRIPS = Math.log2(MAX_PROBE_MS / MIN_PROBE_MS);

/**
 * What one delivery weighs against one trip. Of ten thousand agents that come
 * back to a server with room for a twentieth of them a second, the refused ones
 * must wait long although each gets something through now and then: with a whole
 * step for each delivery they ask for three times the room, with an eighth for 1.6.
 */
const TRUST = 1 / 8;

/**
 * Whether the server is usable.
 *
 * Closed, work flows. `trip()` opens it: nothing is sent until `waitMs()` is 0,
 * then one probe decides. The time between probes doubles from 1 s to 60 s, with
 * up to half of it taken off at random, and each delivery takes an eighth of a step
 * back: a server that says it is ready and then refuses is not hammered.
 *
 * After `close()` a single capture may be in flight, and eight that succeed allow
 * one more, so that a recovering server is not stampeded.
 */
export class Breaker {
  readonly #now: () => number;
  readonly #random: () => number;
  #open = false;
  #state: ServerState = "unknown";
  #reason: string | null = null;
  #since = Date.now();
  #trips = 0;
  #notBefore = 0;
  #allowed = Infinity;

  constructor(options: BreakerOptions = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
  }

  /** Whether nothing may be sent. */
  get isOpen(): boolean {
    return this.#open;
  }

  get state(): ServerState {
    return this.#state;
  }

  get reason(): string | null {
    return this.#reason;
  }

  /** Since when the state is what it is, in milliseconds since 1970. */
  get since(): number {
    return this.#since;
  }

  /** How many captures may be in flight, up to `max`. */
  allowed(max: number): number {
    return this.#open ? 0 : Math.min(Math.floor(this.#allowed), max);
  }

  /** How long until the server may be probed, in milliseconds. */
  waitMs(): number {
    return this.#open ? Math.max(this.#notBefore - this.#now(), 0) : 0;
  }

  /** The server cannot be used. Of several captures in flight only the first lengthens the wait. */
  trip(trip: Trip): void {
    if (!this.#open) {
      const longest = Math.min(MIN_PROBE_MS * 2 ** this.#trips, MAX_PROBE_MS);
      const wait = longest * (1 - this.#random() / 2);
      this.#notBefore = this.#now() + Math.max(wait, MIN_PROBE_MS);
      this.#trips = Math.min(this.#trips + 1, MAX_TRIPS);
      this.#open = true;
    }
    const asked = this.#now() + (trip.retryAfterMs ?? 0);
    this.#notBefore = Math.max(this.#notBefore, asked);
    this.#become(trip.state, trip.reason);
  }

  /** A probe failed: the next one comes later. */
  probeFailed(): void {
    this.#open = false;
    this.trip({
      state: "down",
      reason: this.#state === "down" && this.#reason
        ? this.#reason
        : "the server says it is not ready",
    });
  }

  /**
   * A probe succeeded: one capture may try. A server that is `paused` answered
   * probes all along, so only a delivery changes that.
   */
  close(): void {
    this.#open = false;
    this.#allowed = 1;
    if (this.#state !== "paused") this.#become("ready", null);
  }

  /** The server took or judged a capture: it is usable. */
  succeeded(): void {
    // One that was in flight when another failed proves nothing about now.
    if (this.#open) return;
    this.#trips = Math.max(this.#trips - TRUST, 0);
    this.#allowed += TRUST;
    this.#become("ready", null);
  }

  /** Lets the next probe be made at once. */
  hurry(): void {
    this.#notBefore = 0;
  }

  #become(state: ServerState, reason: string | null): void {
    if (state !== this.#state) this.#since = Date.now();
    this.#state = state;
    this.#reason = reason;
  }
}
