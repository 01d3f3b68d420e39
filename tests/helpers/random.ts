/** Draws that are the same for the same seed, on every machine. */
export class Random {
  #state: number;

  /** @param seed A whole number; only its lowest 32 bits count. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
    // Seeds that follow each other must not begin alike.
    for (let i = 0; i < 4; i++) this.next();
  }

  /** A number from 0 up to 1. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** A whole number of which each magnitude is as likely as the next. */
  magnitude(min: number, max: number): number {
    const low = Math.log(min + 1);
    const high = Math.log(max + 2);
    return Math.floor(Math.exp(low + this.next() * (high - low))) - 1;
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.whole(0, choices.length - 1)]!;
  }

  /** Picks by weight. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T {
    const total = choices.reduce((sum, [weight]) => sum + weight, 0);
    let left = this.next() * total;
    for (const [weight, choice] of choices) {
      left -= weight;
      if (left < 0) return choice;
    }
    return choices.at(-1)![1];
  }

  /** Bytes that no other seed gives. */
  bytes(size: number): Uint8Array<ArrayBuffer> {
    const words = new Uint32Array(Math.ceil(size / 4));
    let word = this.whole(1, 2 ** 32 - 1);
    for (let i = 0; i < words.length; i++) {
      word ^= word << 13;
      word ^= word >>> 17;
      word ^= word << 5;
      words[i] = word;
    }
    return new Uint8Array(words.buffer, 0, size);
  }
}
