/**
 * Lets a loop sleep until something happens. A wake that comes while nobody
 * sleeps is not lost: it ends the next sleep at once.
 */
export class Wakeup {
  #pending = false;
  #wakeSleeper: (() => void) | undefined;

  /** Ends the sleep, or the next one. */
  wake(): void {
    if (this.#wakeSleeper) this.#wakeSleeper();
    else this.#pending = true;
  }

  /**
   * Sleeps until it is woken. There is one sleeper at a time.
   *
   * @param ms For how many milliseconds at most. @default {Infinity}
   */
  sleep(ms = Infinity): Promise<void> {
    if (this.#pending || ms <= 0) {
      this.#pending = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#wakeSleeper = undefined;
        resolve();
      };
      const timer = ms < Infinity ? setTimeout(end, ms) : undefined;
      this.#wakeSleeper = end;
    });
  }
}
