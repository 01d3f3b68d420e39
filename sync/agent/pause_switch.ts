import type { Log } from "../host/log.ts";
import { outsideText, type WeekTable } from "../host/week_table.ts";
import type { UploadQueue } from "../queue/queue.ts";

/** When captures are sent, by the clock. */
export type Schedule = Pick<WeekTable<boolean>, "at" | "until">;

export interface PauseSwitchOptions {
  log: Log;
  schedule?: Schedule | undefined;
  /** The wall clock, in milliseconds since 1970. @default {Date.now} */
  now?: () => number;
}

/** Whether a person has paused deliveries, as the queue last said, or it is not their time. */
export class PauseSwitch {
  /** Whether a person asks for a delivery now, also outside the schedule. */
  isAskedFor = false;
  readonly #queue: UploadQueue;
  readonly #log: Log;
  readonly #schedule: Schedule | undefined;
  readonly #now: () => number;
  #sinceMs = -Infinity;
  #untilMs: number | null = null;
  #said: "paused" | "closed" | null = null;
  #begun = new AbortController();

  constructor(
    queue: UploadQueue,
    { log, schedule, now = Date.now }: PauseSwitchOptions,
  ) {
    this.#queue = queue;
    this.#log = log;
    this.#schedule = schedule;
    this.#now = now;
  }

  /** Aborts when the next pause begins, or has aborted in the one that lasts. */
  get signal(): AbortSignal {
    if (this.#begun.signal.aborted && !this.isOn) {
      this.#begun = new AbortController();
    }
    return this.#begun.signal;
  }

  get isOn(): boolean {
    return this.#why !== null;
  }

  /** How long it lasts still, in milliseconds, as far as that is known: by the wall clock, as a person meant it. */
  get leftMs(): number {
    if (this.#why !== "paused") return this.isOn ? Infinity : 0;
    return this.#untilMs! - this.#now();
  }

  /**
   * Asks the queue. Uploads under way end if a pause has begun.
   *
   * @throws {DatabaseError} if the queue cannot be used.
   */
  look(): void {
    const pause = this.#queue.getPause();
    this.#sinceMs = pause?.since ?? -Infinity;
    this.#untilMs = pause && (pause.until ?? Infinity);
    this.#tick();
  }

  /**
   * Looks at the clock, and asks the queue again if that was set back to before the
   * pause began.
   *
   * @throws {DatabaseError} if the queue cannot be used.
   */
  turn(): void {
    if (this.#sinceMs > this.#now()) this.look();
    else this.#tick();
  }

  /** Looks at the clock. Uploads under way end if their time is over. */
  #tick(): void {
    const why = this.#why;
    if (why !== null) this.#begun.abort();
    if (why === this.#said) return;
    this.#said = why;
    this.#log("info", this.#describe(why));
  }

  get #why(): "paused" | "closed" | null {
    const nowMs = this.#now();
    if (this.#untilMs !== null && this.#untilMs > nowMs) return "paused";
    if (this.isAskedFor || (this.#schedule?.at(nowMs) ?? true)) return null;
    return "closed";
  }

  #describe(why: "paused" | "closed" | null): string {
    if (why === null) return "Deliveries go on";
    if (why === "paused") return "Deliveries are paused";
    const nowMs = this.#now();
    const outside = outsideText(this.#schedule!.until(nowMs), nowMs);
    return `Captures are taken over and not sent: ${outside}`;
  }
}
