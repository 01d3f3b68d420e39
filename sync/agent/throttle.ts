import { Concurrency } from "./concurrency.ts";
import {
  type BusyAnswer,
  BusyAnswers,
  type CaptureRef,
  Spacing,
} from "./busy_answers.ts";
import {
  changed,
  type ServerState,
  SHORT_WAIT_MS,
  unknownNow,
} from "./server_state.ts";
import { Trials } from "./trials.ts";

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

/** Of one delivery against one wait; `scripts/bench/fleet_simulation.ts` shows why it is small. */
const TRUST = 1 / 8;

/** One in so many failed probes is followed by a trial: a server may have no health page. */
const PROBES_PER_TRIAL = 4;

/** A wait that is longer than this, as a power of two, is lengthened also by a server that takes enough. */
const HELD_LEVEL = 3;

/**
 * Decides by the last outcomes whether captures may be sent, and how many at a time:
 *
 * ```text
 *   mode     limit          event              next mode   wait
 *   flowing  Concurrency ¹  delivered          flowing ²
 *                           busy               waiting     longer, or 1 s ³
 *                           exhausted          waiting     1 s
 *                           failed             waiting     longer, then a probe
 *   waiting  0              resume, no probe   flowing
 *                           resume, ready      trying
 *                           resume, not ready  waiting     longer; each 4th time trying
 *   trying   Trials         delivered          flowing
 *                           busy, exhausted    waiting     as above
 *                           failed, the last   waiting     longer, then a probe
 * ```
 *
 * Longer doubles, from 1 s to 60 s, with up to half taken off at random; a delivery
 * takes an eighth of a step back. What began before the last wait changes no mode.
 *
 * 1. One after a wait, and until it is known whom a busy answer means ({@linkcode BusyAnswers}).
 * 2. Waiting, where captures are taken singly, for the time between ({@linkcode Spacing}).
 * 3. 1 s while that is short and a sixth gets through; as long as asked where all are meant.
 */
export class Throttle {
  /** Whom the server means by its busy answers. */
  readonly busyAnswers = new BusyAnswers();
  /** What is tried after a wait. */
  readonly trials = new Trials();
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #minWaitMs: number;
  readonly #maxWaitMs: number;
  readonly #concurrency: Concurrency;
  readonly #spacing = new Spacing();
  #mode: "flowing" | "waiting" | "trying" = "flowing";
  #server: ServerState = unknownNow();
  #waitMs = 0;
  /** Attempts that began before say nothing of now. */
  #waitBeganMs = -Infinity;
  #notBefore = 0;
  /** The end of the wait by the wall clock, for people. */
  #endsAt = 0;
  /** The number of times that the wait was doubled. */
  #level = 0;
  /** Whether the server's health decides if captures are tried after the wait. */
  #probes = false;
  #failedProbes = 0;
  /** Whether captures were delivered although the health page says otherwise: it says nothing of them. */
  healthIsWrong = false;

  constructor(options: ThrottleOptions = {}) {
    const { concurrency: max = 32, now = () => performance.now() } = options;
    this.#now = now;
    this.#random = options.random ?? Math.random;
    this.#minWaitMs = options.minWaitMs ?? 1_000;
    this.#maxWaitMs = options.maxWaitMs ?? 60_000;
    this.#concurrency = new Concurrency({ max, now });
  }

  get server(): ServerState {
    return this.#server;
  }

  get mode(): "flowing" | "waiting" | "trying" {
    return this.#mode;
  }

  /** Whether the wait ends with the question whether the server is ready. */
  get probes(): boolean {
    return this.#probes;
  }

  /** How many captures may be in flight. */
  get limit(): number {
    if (this.#mode === "waiting") return 0;
    if (this.#mode === "trying") return this.trials.limit;
    if (this.#spacing.ms > 0 || this.busyAnswers.areOpen) return 1;
    return this.#concurrency.limit;
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
  delivered(capture: CaptureRef): void {
    this.#concurrency.delivered();
    this.busyAnswers.taken(capture);
    // One that was in flight when another failed proves nothing about now.
    if (this.#mode === "waiting") return;
    if (this.#mode === "trying") {
      this.#mode = "flowing";
      this.healthIsWrong = this.#failedProbes > 0;
    }
    this.#failedProbes = 0;
    this.#level = Math.max(this.#level - TRUST, 0);
    this.trials.delivered(capture.id);
    this.#become("ready", null);
    this.#spacing.delivered();
    if (this.#spacing.ms > 0) this.#wait(this.#spacing.ms, false);
  }

  /** The server asks to be left alone. Of several in flight only the first counts. */
  busy({ capture, reason, retryAfterMs, startedMs }: BusyAnswer): void {
    const isKnown = this.busyAnswers.isKnown(capture);
    const askedMs = retryAfterMs ?? 0;
    const isForLong = askedMs > this.#minWaitMs;
    this.busyAnswers.add(capture, isForLong);
    if (startedMs <= this.#waitBeganMs) return;
    const isHeld = this.#level < HELD_LEVEL && this.busyAnswers.isEnough;
    if (isHeld) this.#wait(this.#minWaitMs, false);
    else this.#waitLonger(false);
    if (isKnown) return;
    if (!isForLong) this.#spacing.busy();
    else if (this.busyAnswers.meanAll()) {
      this.#wait(Math.max(askedMs, this.#waitMs), false);
    }
    if (this.#waitMs > SHORT_WAIT_MS) this.#become("paused", reason);
  }

  /** This process has too many files open for all that are in flight. */
  exhausted(startedMs: number): void {
    if (startedMs <= this.#waitBeganMs) return;
    this.#concurrency.reset();
    this.#wait(this.#minWaitMs, false);
  }

  /**
   * A capture failed, and no other gets through. Of several in flight only the
   * first lengthens the wait.
   *
   * @param state `down` if the server says that it is not ready, too.
   */
  failed(state: "down" | "paused", reason: string): void {
    if (this.#mode === "trying") this.trials.failed(state === "down");
    this.#become(state, reason);
    if (this.#mode === "waiting") return;
    if (this.#mode === "trying" && !this.trials.areOver) return;
    this.#waitLonger(true);
  }

  /** The server may be unusable; captures are sent until more is known. */
  doubt(reason: string): void {
    this.#become("paused", reason);
  }

  /**
   * The wait is over: some captures are tried, or it begins anew.
   *
   * @param problem The reason why the server is not ready, as far as it says.
   */
  resume(problem: string | null = null): void {
    if (!this.#probes) {
      this.#mode = "flowing";
      return;
    }
    this.#failedProbes = problem === null ? 0 : this.#failedProbes + 1;
    if (problem !== null && !this.healthIsWrong) {
      this.#become("down", problem);
      if (this.#failedProbes % PROBES_PER_TRIAL > 0) {
        return this.#waitLonger(true);
      }
      this.trials.beginOne();
    } else {
      this.trials.earn(this.#waitMs / this.#minWaitMs);
      // A server that is paused answered probes all along: only a delivery tells.
      if (this.#server.state === "down") this.#become("ready", null);
    }
    this.#mode = "trying";
  }

  /** Ends the wait, and lets captures be tried that others failed before. */
  hurry(): void {
    this.#notBefore = 0;
    this.trials.forget();
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
    this.#concurrency.reset();
  }

  #wait(ms: number, probes: boolean): void {
    this.#mode = "waiting";
    this.#probes = probes;
    this.#waitMs = ms;
    this.#waitBeganMs = this.#now();
    this.#notBefore = this.#waitBeganMs + ms;
    this.#endsAt = Math.round(Date.now() + ms);
  }

  #become(state: ServerState["state"], reason: string | null): void {
    this.#server = changed(this.#server, state, reason);
  }
}
