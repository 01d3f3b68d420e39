/**
 * A fleet of agents whose server comes back after an outage, under virtual time.
 *
 * Each agent has the product's own `Throttle`, and obeys it as the agent does: it
 * waits, then asks the server's health if it should, then sends as many as it may; a
 * capture that is refused is snoozed. The server takes so many captures in each
 * second and answers the rest with 429. Nothing here waits, so an hour passes in
 * seconds.
 */
import { Throttle } from "../../sync/agent/throttle.ts";

/** The fleet and its server. Times in seconds. */
export interface FleetOptions {
  agents: number;
  /** How many captures a second the server takes. */
  roomPerSecond: number;
  outageSeconds: number;
  /** The time between two captures of each agent, during the outage and after it. */
  captureEverySeconds: number;
  /** How long one capture takes to be sent and answered. */
  answerSeconds: number;
  /** How many captures an agent sends at a time, at most. */
  concurrency: number;
  /** The `Retry-After` of the server's 429; null for none. */
  retryAfterSeconds: number | null;
  /** From 0 up to 1. */
  random: () => number;
}

/** The course of the recovery. */
export interface FleetReport {
  /** In each second since the server was back: the captures sent to it, and those it took. */
  seconds: { asked: number; taken: number }[];
  /** When everything made in the outage was delivered, in seconds after its end. */
  deliveredAfter: number;
  /** The same, had the server's room been used to the full from the first second. */
  idealSeconds: number;
  /** The most captures asked for in a second after the first minute. */
  mostAsked: number;
}

/** One claim in so many takes a snoozed capture, as in the queue. */
const SNOOZED_SHARE = 8;

/** Gives up after this many times the ideal. */
const PATIENCE = 10;

/** One capture that is not delivered yet. */
interface Capture {
  id: string;
  /** Whether it was made in the outage. */
  isOld: boolean;
  snoozes: number;
  dueMs: number;
}

/** One agent: its captures, and its throttle. */
interface Host {
  throttle: Throttle;
  /** Never snoozed, oldest first. */
  fresh: Capture[];
  snoozed: Capture[];
  claims: number;
  running: number;
  /** Whether it has an event of its own coming: a probe, or a pause that ends. */
  awaits: boolean;
}

/** Simulates an outage and the recovery from it. */
export function simulateFleet(options: FleetOptions): FleetReport {
  return new Fleet(options).run();
}

class Fleet {
  readonly #options: FleetOptions;
  /** The events of each millisecond that has any. */
  readonly #events = new Map<number, (() => void)[]>();
  readonly #seconds: FleetReport["seconds"] = [];
  readonly #outageMs: number;
  #nowMs = 0;
  #count = 0;
  #old = 0;
  #oldDoneMs = Infinity;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#outageMs = options.outageSeconds * 1000;
  }

  run(): FleetReport {
    const { agents, captureEverySeconds, concurrency, random } = this.#options;
    for (let i = 0; i < agents; i++) {
      const now = () => this.#nowMs;
      const throttle = new Throttle({ concurrency, random, now });
      const queue = { fresh: [], snoozed: [], claims: 0 };
      const state = { running: 0, awaits: false };
      this.#nextCapture({ throttle, ...queue, ...state });
    }
    const backlog = agents * this.#options.outageSeconds / captureEverySeconds;
    const spare = this.#options.roomPerSecond - agents / captureEverySeconds;
    const idealSeconds = backlog / spare;
    const endMs = this.#outageMs + (idealSeconds * PATIENCE + 120) * 1000;
    while (this.#oldDoneMs === Infinity && this.#nowMs < endMs) {
      this.#nowMs++;
      const events = this.#events.get(this.#nowMs) ?? [];
      this.#events.delete(this.#nowMs);
      for (const act of events) act();
    }
    return {
      seconds: this.#seconds,
      deliveredAfter: (this.#oldDoneMs - this.#outageMs) / 1000,
      idealSeconds,
      mostAsked: Math.max(0, ...this.#seconds.slice(60).map((s) => s.asked)),
    };
  }

  get #isDown(): boolean {
    return this.#nowMs < this.#outageMs;
  }

  #in(ms: number, act: () => void): void {
    const atMs = this.#nowMs + Math.max(Math.ceil(ms), 1);
    const events = this.#events.get(atMs);
    if (events) events.push(act);
    else this.#events.set(atMs, [act]);
  }

  #nextCapture(host: Host): void {
    const { captureEverySeconds, random } = this.#options;
    // As if each came independently of the one before.
    this.#in(-Math.log(1 - random()) * captureEverySeconds * 1000, () => {
      const isOld = this.#isDown;
      const id = `${this.#count++}`;
      host.fresh.push({ id, isOld, snoozes: 0, dueMs: 0 });
      if (isOld) this.#old++;
      this.#nextCapture(host);
      this.#work(host);
    });
  }

  /** Goes on as the agent does after each event. */
  #work(host: Host): void {
    const { throttle } = host;
    if (host.awaits) return;
    if (throttle.mode === "waiting") {
      const isIdle = host.fresh.length + host.snoozed.length === 0;
      if (isIdle && !throttle.probes) return;
      const { waitMs } = throttle;
      if (waitMs > 0) return this.#await(host, waitMs, () => {});
      if (throttle.probes) return this.#probe(host);
      throttle.resume();
    }
    while (host.running < throttle.limit) {
      const capture = this.#claim(host);
      if (!capture) break;
      this.#send(host, capture);
    }
  }

  /** Returns the next capture, in the order of the queue. */
  #claim(host: Host): Capture | undefined {
    const { fresh, snoozed, throttle } = host;
    const due = snoozed.findIndex(({ dueMs }) => dueMs <= this.#nowMs);
    const isSnoozed = fresh.length === 0 || host.claims % SNOOZED_SHARE === 0;
    if (due >= 0 && isSnoozed) {
      host.claims++;
      return snoozed.splice(due, 1)[0];
    }
    if (fresh.length > 0) host.claims++;
    return throttle.busyAnswers.fromEnd ? fresh.pop() : fresh.shift();
  }

  #await(host: Host, ms: number, act: () => void): void {
    host.awaits = true;
    this.#in(ms, () => {
      host.awaits = false;
      act();
      this.#work(host);
    });
  }

  #probe(host: Host): void {
    const reason = this.#isDown ? "Connection refused" : null;
    const ms = this.#options.answerSeconds * 500;
    this.#await(host, ms, () => host.throttle.resume(reason));
  }

  #send(host: Host, capture: Capture): void {
    const { answerSeconds, roomPerSecond } = this.#options;
    const startedMs = this.#nowMs;
    host.running++;
    const second = this.#isDown ? undefined : this.#second();
    const isTaken = second !== undefined && second.taken < roomPerSecond;
    if (second) second.asked++;
    if (second && isTaken) second.taken++;
    this.#in(answerSeconds * 1000, () => {
      host.running--;
      if (isTaken) {
        if (capture.isOld) this.#old--;
        if (this.#old === 0 && !this.#isDown) this.#oldDoneMs = this.#nowMs;
        host.throttle.delivered(capture);
      } else if (second) this.#snooze(host, capture, startedMs);
      else {
        host.fresh.unshift(capture);
        host.throttle.failed("down", "Connection refused");
      }
      this.#work(host);
    });
  }

  #snooze(host: Host, capture: Capture, startedMs: number): void {
    const { retryAfterSeconds } = this.#options;
    const retryAfterMs = retryAfterSeconds && retryAfterSeconds * 1000;
    const reason = "HTTP 429";
    const refusal = { capture, reason, retryAfterMs, startedMs };
    host.throttle.busy(refusal);
    const delayMs = host.throttle.busyAnswers.delayMs(
      refusal,
      host.throttle.waitMs,
    );
    capture.snoozes++;
    capture.dueMs = this.#nowMs + delayMs;
    host.snoozed.push(capture);
    this.#in(delayMs, () => this.#work(host));
  }

  /** The counts of this second. */
  #second(): FleetReport["seconds"][number] {
    const at = Math.floor((this.#nowMs - this.#outageMs) / 1000);
    while (this.#seconds.length <= at) {
      this.#seconds.push({ asked: 0, taken: 0 });
    }
    return this.#seconds[at]!;
  }
}
