import { MAX_BACKOFF_MS } from "../queue/transitions.ts";

/** While a busy server takes so much of about so many captures, its answers do not lengthen the wait. */
const ENOUGH = 1 / 6;
const ANSWERS = 48;
/** The first time between two captures that is tried, and the longest, in milliseconds. */
const MIN_MS = 16;
const MAX_MS = 512;
/** So few captures between two busy answers show that they came too fast. */
const FEW = 3;
/** The factors by which a busy answer lengthens the time, and each delivery shortens it. */
const LONGER = 1.25;
const SHORTER = 0.995;
/** After so many further busy answers it is tried again, where it did not help. */
const PATIENCE = 64;
/** After so many busy answers in a row all captures are meant: where none was a capture's own before, and at most. */
const ALL = 4;
const MAX_ALL = 16;

/** A capture, as far as it says whom a busy answer means. */
export interface CaptureRef {
  id: string;
  /** How many times it was not taken before. */
  snoozes: number;
}

/** The answer that a server does not take a capture now. */
export interface BusyAnswer {
  capture: CaptureRef;
  /** The reason, for people. */
  reason: string;
  /** How long the server asks to be left alone, in milliseconds; `null` if it does not say. */
  retryAfterMs: number | null;
  /** When the attempt began (`performance.now`). */
  startedMs: number;
}

/**
 * Finds out which captures a server means that says it is busy: one that is told so
 * while others pass is meant alone, else all are.
 *
 * So after a busy answer captures are tried one at a time, until one is taken or some
 * were told so in a row: the more, the more often others passed after such answers.
 */
export class BusyAnswers {
  /** The share of the last captures that was taken: neither large nor small at first. */
  #share = 0.6;
  /** Whether any was taken since all were meant. */
  #anyPassed = false;
  /** How many were told to come later since the last was taken. */
  #inARow = 0;
  #lastId: string | undefined;
  #all = ALL;
  #fromEnd = false;

  /** Whether a good part of the last captures was taken. */
  get isEnough(): boolean {
    return this.#share >= ENOUGH;
  }

  /** Whether a capture that is told so again is known to be meant alone. */
  get othersPass(): boolean {
    return this.#anyPassed && this.isEnough;
  }

  /** Whether it is to be found out whom the last ones mean: captures are tried one at a time. */
  get areOpen(): boolean {
    return this.#inARow > 0;
  }

  /** Whether to try the capture whose turn comes last, by turns: it may be unlike those that come first. */
  get fromEnd(): boolean {
    return this.#fromEnd;
  }

  /** Whether a capture was told so before while others passed: that it is again says nothing of these. */
  isKnown({ snoozes }: CaptureRef): boolean {
    return snoozes > 0 && this.othersPass;
  }

  /**
   * Returns when a capture that was told so is due again, in milliseconds from now.
   *
   * @param waitMs How long the others wait.
   */
  delayMs({ capture, retryAfterMs }: BusyAnswer, waitMs: number): number {
    const snoozes = this.othersPass ? capture.snoozes : 0;
    const ownMs = retryAfterMs ??
      Math.min(waitMs * (1 + snoozes), MAX_BACKOFF_MS);
    return Math.max(ownMs, waitMs);
  }

  taken(capture: CaptureRef): void {
    if (!this.isKnown(capture)) this.#share += (1 - this.#share) / ANSWERS;
    const wereOwn = this.areOpen && this.#inARow < this.#all;
    if (wereOwn) this.#all = Math.min(this.#all * 2, MAX_ALL);
    this.#inARow = 0;
    this.#lastId = undefined;
    this.#fromEnd = false;
    this.#anyPassed = true;
  }

  /** @param isForLong Whether it is worth finding out whom the answer means. */
  add(capture: CaptureRef, isForLong: boolean): void {
    if (this.isKnown(capture)) return;
    this.#share -= this.#share / ANSWERS;
    if (isForLong && capture.id !== this.#lastId) this.#inARow++;
    if (isForLong) this.#lastId = capture.id;
  }

  /** Decides whether all are meant, when one was told so that was begun after the others. */
  meanAll(): boolean {
    const areAll = this.#inARow >= this.#all;
    this.#fromEnd = areAll || !this.#fromEnd;
    if (!areAll) return false;
    this.#all = Math.max(Math.floor(this.#all / 2), ALL);
    this.#anyPassed = false;
    return true;
  }
}

/**
 * The time to leave between two captures, for a server that takes one and then none
 * for a while: learned from its busy answers, given up where it does not help.
 */
export class Spacing {
  #ms = 0;
  /** Captures that were delivered since the last busy answer. */
  #delivered = 0;
  #patience = 0;

  /** In milliseconds; 0 where several may be sent at a time. */
  get ms(): number {
    return this.#ms;
  }

  delivered(): void {
    this.#delivered++;
    this.#ms *= SHORTER;
    if (this.#ms < MIN_MS / 2) this.#ms = 0;
  }

  busy(): void {
    const delivered = this.#delivered;
    this.#delivered = 0;
    if (this.#patience > 0) return void this.#patience--;
    if (delivered === 0) return;
    if (delivered > FEW) this.#ms *= LONGER;
    else this.#ms = Math.max(this.#ms * 2, MIN_MS);
    if (this.#ms <= MAX_MS) return;
    this.#ms = 0;
    this.#patience = PATIENCE;
  }
}
