/** While a busy server takes so much of about so many captures, its refusals do not lengthen the wait. */
const ENOUGH = 1 / 3;
const ANSWERS = 48;
/** The first time between two captures that is tried, and the longest, in milliseconds. */
const MIN_MS = 16;
const MAX_MS = 512;
/** So few captures between two refusals say that they came too fast. */
const FEW = 3;
/** How much longer a refusal makes the time, and how much shorter each delivery. */
const LONGER = 1.25;
const SHORTER = 0.995;
/** After so many further refusals it is tried again, where it did not help. */
const PATIENCE = 64;

/** How much of the last captures a server has taken. */
export class Acceptance {
  /** Neither much nor little at first. */
  #share = 0.6;

  /** Whether that is a good part of them. */
  get isEnough(): boolean {
    return this.#share >= ENOUGH;
  }

  taken(): void {
    this.#share += (1 - this.#share) / ANSWERS;
  }

  refused(): void {
    this.#share -= this.#share / ANSWERS;
  }
}

/**
 * How much time to leave between two captures, for a server that takes one and then
 * none for a while: learned from its refusals, given up where that does not help.
 */
export class Spacing {
  #ms = 0;
  /** Captures that were delivered since the last refusal. */
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

  refused(): void {
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
