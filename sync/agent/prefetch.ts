import type {
  Bookkeeper,
  BookkeeperAside,
  BookkeeperHere,
} from "./bookkeeping.ts";
import type { Log } from "../host/log.ts";
import type { ClaimedCapture } from "./read_ahead.ts";

/**
 * So many captures are claimed in one commit at most; fewer, where so many would
 * last longer than this, in milliseconds: what is claimed counts as uploading.
 */
const MAX_CLAIM = 128;
const CLAIM_LASTS_MS = 250;

/**
 * So many captures must wait for a thread to be worth its start: it takes as long
 * as some 2,000 captures spare by it.
 */
const WORTH_A_THREAD = 2000;

/** What {@linkcode Claims} needs. */
export interface ClaimsOptions {
  /** The bookkeeping on this thread. */
  own: BookkeeperHere;
  /** Returns how many captures wait. */
  countWaiting: () => number;
  /** Starts the one on a thread of its own. */
  startThread: (() => Promise<BookkeeperAside>) | undefined;
  /** Is called when there is more, or no more will come. */
  onAnswer: () => void;
  log: Log;
}

/**
 * The captures that are claimed and not begun. A few are claimed when they are
 * needed, on this thread. When there is a backlog, bookkeeping moves to a thread
 * of its own until the end, and the next ones are claimed while others are being
 * sent.
 */
export class Claims {
  readonly #options: ClaimsOptions;
  readonly #claimed: ClaimedCapture[] = [];
  #claimedAt = 0;
  #limit = 1;
  #thread: BookkeeperAside | undefined;
  #starting: Promise<void> | undefined;
  #cannotStart = false;
  #asking: Promise<void> | undefined;
  #isDry = false;
  /** Whether a thread may have marked captures that never came here. */
  #mayHaveMarked = false;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Who keeps the books now. */
  get books(): Bookkeeper {
    return this.#thread ?? this.#options.own;
  }

  /** Whether more may come without anything being asked for again. */
  get isAsking(): boolean {
    return this.#asking !== undefined;
  }

  /**
   * Returns the next capture to send, or `undefined` if there is none at the moment.
   *
   * @param concurrency How many are sent at a time.
   * @throws {DatabaseError} if the queue cannot be used.
   */
  next(concurrency: number): ClaimedCapture | undefined {
    if (this.#thread) this.#ask(this.#thread, concurrency);
    else if (this.#claimed.length === 0) this.#claim(concurrency);
    return this.#claimed.shift();
  }

  /** A capture has been sent, or not. */
  done(capture: ClaimedCapture): void {
    this.#thread?.done(capture);
  }

  /**
   * Gives back what was claimed and not begun, and ends the thread, if there is
   * one. Nothing is being sent any more, and all outcomes are recorded.
   */
  async end(): Promise<void> {
    await this.#starting;
    this.#starting = undefined;
    await this.#asking;
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.[Symbol.asyncDispose]();
    const isMarked = this.#claimed.splice(0).length > 0 || this.#mayHaveMarked;
    if (isMarked) this.#options.own.recover();
    this.#mayHaveMarked = false;
  }

  #claim(concurrency: number): void {
    const limit = this.#nextLimit(concurrency);
    const found = this.#options.own.claim(limit);
    this.#claimed.push(...found);
    if (found.length < MAX_CLAIM || this.#starting) return;
    if (this.#options.countWaiting() < WORTH_A_THREAD) return;
    this.#starting = this.#start();
  }

  /** Has more claimed before there is nothing left to send. */
  #ask(thread: BookkeeperAside, concurrency: number): void {
    if (this.#asking || this.#claimed.length > this.#limit / 2) return;
    // Asked again at once it would say so again; something may end meanwhile.
    if (this.#isDry) return void (this.#isDry = false);
    this.#asking = thread.claim(this.#nextLimit(concurrency))
      .then((found) => {
        this.#claimed.push(...found);
        this.#isDry = found.length === 0;
      })
      // If it is the queue's fault, it will show on this thread.
      .catch((error) => this.#leave(thread, error))
      .finally(() => {
        this.#asking = undefined;
        this.#options.onAnswer();
      });
  }

  #nextLimit(concurrency: number): number {
    const lastedMs = performance.now() - this.#claimedAt;
    this.#claimedAt += lastedMs;
    const limit = this.#limit * (lastedMs < CLAIM_LASTS_MS ? 2 : 0.5);
    this.#limit = Math.min(Math.max(limit, concurrency), MAX_CLAIM);
    return this.#limit;
  }

  async #start(): Promise<void> {
    const { startThread, log } = this.#options;
    if (!startThread || this.#cannotStart) return;
    try {
      this.#thread = await startThread();
      this.#mayHaveMarked = true;
      log("debug", "There is a backlog: keeping the books on another thread");
    } catch (error) {
      this.#cannotStart = true;
      log("debug", `Keeping the books on one thread: ${reasonOf(error)}`);
    }
  }

  async #leave(thread: BookkeeperAside, error: unknown): Promise<void> {
    this.#options.log("warn", `Cannot claim captures: ${reasonOf(error)}`);
    this.#thread = undefined;
    await thread[Symbol.asyncDispose]();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
