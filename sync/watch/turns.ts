import { setImmediate } from "node:timers";

/** How long work goes on before others get their turn, in milliseconds. */
const TURN_MS = 5;

/** Lets uploads and events go on in the midst of much work. */
export class Turns {
  #begunAt = performance.now();

  /** Ends a turn if it has been long; may be called as often as can be. */
  async end(): Promise<void> {
    if (performance.now() - this.#begunAt < TURN_MS) return;
    // A timer, even of 0 ms, would wait for two.
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#begunAt = performance.now();
  }
}
