/**
 * A fleet of agents whose server comes back after an outage, under virtual time.
 *
 * Each agent has the product's own `Throttle`, and obeys it as the agent does:
 * it waits, then asks the server's health if it should, then sends what it may.
 * The server takes so many captures in each second and answers the rest with 429.
 * Nothing here waits, so an hour passes in seconds.
 */
import { Throttle } from "../../sync/agent/throttle.ts";

/** The fleet and its server. Times in seconds. */
export interface FleetOptions {
  agents: number;
  /** How many captures a second the server takes. */
  roomPerSecond: number;
  outageSeconds: number;
  /** How often each agent is handed a capture, during the outage and after it. */
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

/** Gives up after this many times the ideal. */
const PATIENCE = 10;

/** One agent: how many captures wait, and its throttle. */
interface Host {
  throttle: Throttle;
  /** Made in the outage and not delivered yet. */
  old: number;
  waiting: number;
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
      const counts = { old: 0, waiting: 0, running: 0, awaits: false };
      this.#nextCapture({ throttle, ...counts });
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
      host.waiting++;
      if (this.#isDown) {
        host.old++;
        this.#old++;
      }
      this.#nextCapture(host);
      this.#work(host);
    });
  }

  /** Goes on as the agent does after each event. */
  #work(host: Host): void {
    const { throttle } = host;
    if (host.awaits) return;
    if (throttle.mode === "waiting") {
      if (host.waiting === 0 && !throttle.probes) return;
      const { waitMs } = throttle;
      if (waitMs > 0) return this.#await(host, waitMs, () => {});
      if (throttle.probes) return this.#probe(host);
      throttle.resume();
    }
    while (host.waiting > 0 && host.running < throttle.limit) this.#send(host);
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

  #send(host: Host): void {
    const { answerSeconds, retryAfterSeconds, roomPerSecond } = this.#options;
    host.waiting--;
    host.running++;
    const second = this.#isDown ? undefined : this.#second();
    const isTaken = second !== undefined && second.taken < roomPerSecond;
    if (second) second.asked++;
    if (second && isTaken) second.taken++;
    this.#in(answerSeconds * 1000, () => {
      host.running--;
      if (isTaken) {
        this.#delivered(host);
        host.throttle.delivered();
      } else {
        host.waiting++;
        if (!second) host.throttle.failed("down", "Connection refused");
        else {
          const wait = retryAfterSeconds && retryAfterSeconds * 1000;
          host.throttle.busy("HTTP 429", wait);
        }
      }
      this.#work(host);
    });
  }

  /** The oldest go first. */
  #delivered(host: Host): void {
    if (host.old === 0) return;
    host.old--;
    this.#old--;
    if (this.#old === 0 && !this.#isDown) this.#oldDoneMs = this.#nowMs;
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
