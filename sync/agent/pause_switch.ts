import type { Log } from "../host/log.ts";
import type { UploadQueue } from "../queue/queue.ts";

/** Whether a person has paused deliveries, as the queue last said. */
export class PauseSwitch {
  readonly #queue: Pick<UploadQueue, "getPause">;
  readonly #log: Log;
  #untilMs: number | null = null;
  #begun = new AbortController();

  constructor(queue: Pick<UploadQueue, "getPause">, log: Log) {
    this.#queue = queue;
    this.#log = log;
  }

  /** Aborts when the next pause begins, or has aborted in the one that lasts. */
  get signal(): AbortSignal {
    if (this.#begun.signal.aborted && !this.isOn) {
      this.#begun = new AbortController();
    }
    return this.#begun.signal;
  }

  get isOn(): boolean {
    return this.leftMs > 0;
  }

  /** How long it lasts still, in milliseconds: by the wall clock, as a person meant it. */
  get leftMs(): number {
    if (this.#untilMs === null) return 0;
    return Math.max(this.#untilMs - Date.now(), 0);
  }

  /**
   * Asks the queue. Uploads under way end if a pause has begun.
   *
   * @throws {DatabaseError} if the queue cannot be used.
   */
  look(): void {
    const pause = this.#queue.getPause();
    const wasOn = this.isOn;
    this.#untilMs = pause && (pause.until ?? Infinity);
    if (this.isOn) this.#begun.abort();
    if (this.isOn === wasOn) return;
    this.#log("info", wasOn ? "Deliveries go on" : "Deliveries are paused");
  }
}
