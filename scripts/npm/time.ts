/** The part of `@std/testing/time` that the project uses, over @sinonjs/fake-timers. */
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

/**
 * Stands in for the clock and the timers until it is disposed of.
 *
 * Replaced are `Date`, `setTimeout`, `setInterval`, their `clear…` and
 * `AbortSignal.timeout`.
 */
export class FakeTime implements Disposable {
  readonly #clock: InstalledClock;

  constructor(start: number | string | Date = Date.now()) {
    this.#clock = timers.install({ now: new Date(start), toFake: [...FAKED] });
    AbortSignal.timeout = abortLater;
  }

  /** The faked time. */
  get now(): number {
    return this.#clock.now;
  }

  /** Moves the time on by `ms` milliseconds and runs the timers that fall due. */
  tick(ms = 0): void {
    this.#clock.tick(ms);
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

  /** Puts the real clock and timers back. */
  [Symbol.dispose](): void {
    this.#clock.uninstall();
    AbortSignal.timeout = realAbortTimeout;
  }
}

function abortLater(ms: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => {
    controller.abort(new DOMException("Signal timed out.", "TimeoutError"));
  }, ms);
  return controller.signal;
}
