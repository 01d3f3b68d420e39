/** What the project uses of `@std/testing/time`, over @sinonjs/fake-timers. */
// @ts-types="@types/sinonjs__fake-timers"
import { type InstalledClock, withGlobal } from "@sinonjs/fake-timers";

const timers = withGlobal(globalThis);
const FAKED = [
  "Date",
  "setTimeout",
  "clearTimeout",
  "setInterval",
  "clearInterval",
] as const;
const realSetTimeout = globalThis.setTimeout;
const realAbortTimeout = AbortSignal.timeout;

let current: FakeTime | undefined;

/**
 * Stands in for the clock and the timers until it is disposed of.
 *
 * Replaced are `Date`, `setTimeout`, `setInterval`, their `clear…` and `AbortSignal.timeout`.
 */
export class FakeTime implements Disposable {
  readonly start: number;
  readonly #clock: InstalledClock;

  /** @throws {Error} when the time is faked already */
  constructor(start: number | string | Date = Date.now()) {
    if (current) {
      throw new Error("Cannot construct FakeTime: time is already faked");
    }
    this.#clock = timers.install({ now: new Date(start), toFake: [...FAKED] });
    this.start = this.#clock.now;
    AbortSignal.timeout = abortLater;
    current = this;
  }

  /** The faked time; setting a later one runs what falls due until then. */
  get now(): number {
    return this.#clock.now;
  }
  set now(value: number) {
    if (value < this.now) {
      throw new RangeError(
        `Cannot set current time in the past, time must be >= ${this.now}`,
      );
    }
    this.tick(value - this.now);
  }

  /** Moves the time on by `ms` milliseconds and runs what falls due. */
  tick(ms = 0): void {
    this.#clock.tick(ms);
  }

  /** Lets pending promises go on first, then does as {@linkcode tick}. */
  async tickAsync(ms = 0): Promise<void> {
    await this.runMicrotasks();
    this.tick(ms);
  }

  /** Lets pending promises go on. */
  async runMicrotasks(): Promise<void> {
    await new Promise((resolve) => realSetTimeout(resolve, 0));
  }

  /** Moves on to the next timer and runs all that fall due with it; false when there is none. */
  next(): boolean {
    if (this.#clock.countTimers() === 0) return false;
    this.#clock.next();
    this.#clock.tick(0);
    return true;
  }

  /** Runs every timer, those that they set included. */
  runAll(): void {
    while (this.next());
  }

  /** Runs every timer, letting promises go on between them. */
  async runAllAsync(): Promise<void> {
    do await this.runMicrotasks(); while (this.next());
  }

  /** Puts the real clock and timers back. */
  restore(): void {
    if (current !== this) {
      throw new Error("Cannot restore time: time is already restored");
    }
    this.#clock.uninstall();
    AbortSignal.timeout = realAbortTimeout;
    current = undefined;
  }

  [Symbol.dispose](): void {
    this.restore();
  }
}

function abortLater(ms: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => {
    controller.abort(new DOMException("Signal timed out.", "TimeoutError"));
  }, ms);
  return controller.signal;
}
