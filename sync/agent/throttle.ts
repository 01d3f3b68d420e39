import { Concurrency } from "./concurrency.ts";
import { Acceptance, Spacing } from "./refusals.ts";
import { changed, type ServerStanding, unknownNow } from "./server_standing.ts";

/** Options for {@linkcode Throttle}. */
export interface ThrottleOptions {
  /** How many captures are sent at a time, at most: from 1. @default {32} */
  concurrency?: number | undefined;
  /** The shortest wait, in milliseconds. @default {1000} */
  minWaitMs?: number;
  /** The longest wait that the server does not ask for, in milliseconds. @default {60000} */
  maxWaitMs?: number;
  /** A clock that never jumps, in milliseconds. @default {performance.now} */
  now?: () => number;
  /** From 0 up to 1. @default {Math.random} */
  random?: () => number;
}

/** What one delivery weighs against one wait; `scripts/bench/fleet_simulation.ts` shows why so little. */
const TRUST = 1 / 8;

/** How many trials a wait of the shortest length earns, and how many run at a time. */
const TRIALS_PER_WAIT = 3;
const TRIALS_AT_A_TIME = 4;

/** After so many failures, less the deliveries since, it is the server: then a wait earns one trial. */
const MAX_FAILURES = 128;
/** Of so many probes in a row that fail one is followed by a trial: a server may have no health page. */
const PROBES_PER_TRIAL = 4;

/** A wait that is longer than this, as a power of two, is lengthened also by a server that takes enough. */
const HELD_LEVEL = 3;
/** A wait up to this, in milliseconds, is no outage. */
export const SHORT_WAIT_MS = 5_000;

/**
 * Decides whether captures may be sent, and how many at a time, by what became of
 * the last ones.
 *
 * ```text
 *               delivered
 *   flowing ◀───────────────── trying ◀──┐
 *    │   ▲                       │       │ the server says it is ready
 *    │   │ the time is over      │ all   │
 *    │   │                       ▼ fail  │
 *    └───┴───────────────────▶ waiting ──┘
 *       busy() or failed()
 * ```
 *
 * The wait doubles from 1 s to 60 s, with up to half of it taken off at random,
 * and each delivery takes an eighth of a step back. When it is over some captures
 * are tried, more after a long wait than after a short one: if only those fail
 * that happened to be first, others get through soon.
 *
 * A server that is busy is left alone for as long as it asks. While it takes a
 * good part of what it is sent all the same, the wait does not grow. To one that
 * takes them singly captures are sent one by one ({@linkcode Spacing}).
 */
export class Throttle {
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #minWaitMs: number;
  readonly #maxWaitMs: number;
  readonly #concurrency: Concurrency;
  readonly #acceptance = new Acceptance();
  readonly #spacing = new Spacing();
  #mode: "flowing" | "waiting" | "trying" = "flowing";
  #standing: ServerStanding = unknownNow();
  #waitMs = 0;
  #notBefore = 0;
  /** The same by the wall clock, for people. */
  #endsAt = 0;
  /** How often the wait is doubled. */
  #level = 0;
  /** Whether the server's health decides what comes after the wait. */
  #probes = false;
  #failedProbes = 0;
  /** Whether captures were delivered although the health page says otherwise. */
  #healthIsWrong = false;
  /** How many may be in flight after a wait: one, and one more with every eight deliveries. */
  #allowed = Infinity;
  #trials = 0;
  #failures = 0;

  constructor(options: ThrottleOptions = {}) {
    const { concurrency = 32, now = () => performance.now() } = options;
    this.#now = now;
    this.#random = options.random ?? Math.random;
    this.#minWaitMs = options.minWaitMs ?? 1_000;
    this.#maxWaitMs = options.maxWaitMs ?? 60_000;
    this.#concurrency = new Concurrency({ max: concurrency, now });
  }

  /** How the server stands. */
  get standing(): ServerStanding {
    return this.#standing;
  }

  /** Whether captures are sent; see above. */
  get mode(): "flowing" | "waiting" | "trying" {
    return this.#mode;
  }

  /** Whether the wait ends with the question whether the server is ready. */
  get probes(): boolean {
    return this.#probes;
  }

  /** Whether the health page was found to say nothing about captures. */
  get healthIsWrong(): boolean {
    return this.#healthIsWrong;
  }

  /** How many captures may be in flight. */
  get limit(): number {
    if (this.#mode === "waiting") return 0;
    if (this.#mode === "trying") {
      return Math.min(this.#trials, TRIALS_AT_A_TIME);
    }
    if (this.#spacing.ms > 0) return 1;
    return Math.min(this.#concurrency.limit, Math.floor(this.#allowed));
  }

  /** How long to wait still, in milliseconds. */
  get waitMs(): number {
    if (this.#mode !== "waiting") return 0;
    return Math.max(this.#notBefore - this.#now(), 0);
  }

  /** When the wait ends, in milliseconds since 1970; `null` if nothing waits for the server. */
  get nextProbeAt(): number | null {
    return this.#mode === "waiting" ? this.#endsAt : null;
  }

  /** The server took a capture, or judged it. */
  delivered(): void {
    this.#concurrency.delivered();
    this.#acceptance.taken();
    // One that was in flight when another failed proves nothing about now.
    if (this.#mode === "waiting") return;
    if (this.#mode === "trying") {
      this.#mode = "flowing";
      this.#healthIsWrong = this.#failedProbes > 0;
      this.#allowed = 1;
    }
    this.#failedProbes = 0;
    this.#level = Math.max(this.#level - TRUST, 0);
    this.#allowed += TRUST;
    this.#failures = Math.max(this.#failures - 1, 0);
    this.#become("ready", null);
    this.#spacing.delivered();
    if (this.#spacing.ms > 0) this.#wait(this.#spacing.ms, false);
  }

  /**
   * The server asks to be left alone.
   *
   * @param retryAfterMs For how long, if it says so.
   */
  busy(reason: string, retryAfterMs: number | null): void {
    this.#acceptance.refused();
    if (this.#mode !== "waiting") {
      const isHeld = this.#level < HELD_LEVEL && this.#acceptance.isEnough;
      if (isHeld) this.#wait(this.#minWaitMs, false);
      else this.#waitLonger(false);
      this.#spacing.refused();
    }
    const asked = this.#now() + (retryAfterMs ?? 0);
    this.#notBefore = Math.max(this.#notBefore, asked);
    this.#endsAt = Math.round(Date.now() + this.waitMs);
    if (this.waitMs > SHORT_WAIT_MS) this.#become("paused", reason);
  }

  /**
   * A capture failed, and no other gets through. Of several in flight only the
   * first lengthens the wait.
   *
   * @param state `down` if the server says that it is not ready, too.
   */
  failed(state: "down" | "paused", reason: string): void {
    if (this.#mode === "trying") {
      this.#failures = Math.min(this.#failures + 1, MAX_FAILURES);
      this.#trials = state === "down" ? 0 : this.#trials - 1;
    }
    this.#become(state, reason);
    if (this.#mode === "waiting") return;
    if (this.#mode === "trying" && this.#trials > 0) return;
    this.#waitLonger(true);
  }

  /**
   * The wait is over: some captures are tried, or it begins anew.
   *
   * @param problem Why the server is not ready, as far as it says.
   */
  resume(problem: string | null = null): void {
    if (!this.#probes) {
      this.#mode = "flowing";
      return;
    }
    this.#failedProbes = problem === null ? 0 : this.#failedProbes + 1;
    if (problem !== null && !this.#healthIsWrong) {
      this.#become("down", problem);
      if (this.#failedProbes % PROBES_PER_TRIAL > 0) {
        return this.#waitLonger(true);
      }
      this.#trials = 1;
    } else {
      const earned = this.#waitMs / this.#minWaitMs * TRIALS_PER_WAIT;
      const left = MAX_FAILURES - this.#failures;
      this.#trials = Math.max(Math.min(Math.round(earned), left), 1);
      // A server that is paused answered probes all along: only a delivery tells.
      if (this.#standing.state === "down") this.#become("ready", null);
    }
    this.#mode = "trying";
  }

  /** Ends the wait, and lets captures be tried that others failed before. */
  hurry(): void {
    this.#notBefore = 0;
    this.#failures = 0;
  }

  /** There is not enough to do to take every place. */
  starved(): void {
    this.#concurrency.starved();
  }

  #waitLonger(probes: boolean): void {
    const maxLevel = Math.log2(this.#maxWaitMs / this.#minWaitMs);
    const longestMs = this.#minWaitMs * 2 ** this.#level;
    const waitMs = longestMs * (1 - this.#random() / 2);
    this.#wait(Math.max(waitMs, this.#minWaitMs), probes);
    this.#level = Math.min(this.#level + 1, maxLevel);
    this.#allowed = 1;
    this.#concurrency.refused();
  }

  #wait(ms: number, probes: boolean): void {
    this.#mode = "waiting";
    this.#probes = probes;
    this.#waitMs = ms;
    this.#notBefore = this.#now() + ms;
    this.#endsAt = Math.round(Date.now() + ms);
  }

  #become(state: ServerStanding["state"], reason: string | null): void {
    this.#standing = changed(this.#standing, state, reason);
  }
}
