/**
 * A fleet of agents whose server comes back after an outage, under virtual time.
 *
 * Each agent has the product's own `Throttle`, and acts on it as the agent does:
 * it waits, then asks the server's health if it should, then sends what it may.
 * The server takes so many captures in each second and answers the rest with 429.
 * Nothing here waits, so an hour passes in seconds.
 */
import { Throttle } from "../../../sync/agent/throttle.ts";
import { EventQueue } from "./event_queue.ts";

/** What is simulated. Times in seconds. */
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
  /** What the server says with 429. @default {nothing} */
  retryAfterSeconds?: number;
  /** From 0 up to 1. */
  random: () => number;
}

/** What happened in one second after the server came back. */
export interface Second {
  /** Captures that were sent to the server, taken or not. */
  asked: number;
  taken: number;
  /** Requests for the server's health. */
  probes: number;
}

/** What became of the fleet. */
export interface FleetReport {
  /** From the moment when the server was back. */
  seconds: Second[];
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
class Host {
  readonly throttle: Throttle;
  /** Made in the outage and not delivered yet. */
  old = 0;
  waiting = 0;
  running = 0;
  /** Whether it has an event of its own coming: a probe, or a pause that ends. */
  awaits = false;

  constructor(throttle: Throttle) {
    this.throttle = throttle;
  }
}

class Fleet {
  readonly #options: FleetOptions;
  readonly #events = new EventQueue();
  readonly #hosts: Host[];
  readonly #seconds: Second[] = [];
  #nowMs = 0;
  #old = 0;
  #oldDoneMs = Infinity;

  constructor(options: FleetOptions) {
    this.#options = options;
    const { agents, concurrency, random } = options;
    this.#hosts = Array.from(
      { length: agents },
      () =>
        new Host(
          new Throttle({ concurrency, random, now: () => this.#nowMs }),
        ),
    );
  }

  run(): FleetReport {
    const { agents, roomPerSecond, outageSeconds, captureEverySeconds } =
      this.#options;
    for (const host of this.#hosts) this.#nextCapture(host);
    const backlog = agents * outageSeconds / captureEverySeconds;
    const spare = roomPerSecond - agents / captureEverySeconds;
    const idealSeconds = backlog / spare;
    const endMs = (outageSeconds + idealSeconds * PATIENCE + 120) * 1000;
    while (this.#oldDoneMs === Infinity) {
      const event = this.#events.next();
      if (!event || event.atMs > endMs) break;
      this.#nowMs = event.atMs;
      event.act();
    }
    return {
      seconds: this.#seconds,
      deliveredAfter: this.#oldDoneMs / 1000 - outageSeconds,
      idealSeconds,
      mostAsked: Math.max(0, ...this.#seconds.slice(60).map((s) => s.asked)),
    };
  }

  #in(seconds: number, act: () => void): void {
    this.#events.add(this.#nowMs + seconds * 1000, act);
  }

  #nextCapture(host: Host): void {
    const { captureEverySeconds, random } = this.#options;
    // As if each came independently of the one before.
    this.#in(-Math.log(1 - random()) * captureEverySeconds, () => {
      host.waiting++;
      if (this.#isDown) {
        host.old++;
        this.#old++;
      }
      this.#nextCapture(host);
      this.#work(host);
    });
  }

  get #isDown(): boolean {
    return this.#nowMs < this.#options.outageSeconds * 1000;
  }

  /** Does what the agent does whenever something has happened. */
  #work(host: Host): void {
    const { throttle } = host;
    if (host.awaits) return;
    if (throttle.isWaiting) {
      if (host.waiting === 0 && !throttle.probes) return;
      const { waitMs } = throttle;
      if (waitMs > 0) {
        return this.#await(host, waitMs / 1000, () => this.#work(host));
      }
      if (throttle.probes) return this.#probe(host);
      throttle.resume();
    }
    while (host.waiting > 0 && host.running < throttle.limit) this.#send(host);
  }

  #await(host: Host, seconds: number, act: () => void): void {
    host.awaits = true;
    this.#in(seconds, () => {
      host.awaits = false;
      act();
    });
  }

  #probe(host: Host): void {
    const second = this.#second();
    if (second) second.probes++;
    const isDown = this.#isDown;
    this.#await(host, this.#options.answerSeconds / 2, () => {
      host.throttle.resume(isDown ? "Connection refused" : null);
      this.#work(host);
    });
  }

  #send(host: Host): void {
    const { answerSeconds, retryAfterSeconds, roomPerSecond } = this.#options;
    const retryAfterMs = retryAfterSeconds === undefined
      ? null
      : retryAfterSeconds * 1000;
    host.waiting--;
    host.running++;
    const second = this.#second();
    const isTaken = second !== undefined && second.taken < roomPerSecond;
    if (second) second.asked++;
    if (second && isTaken) second.taken++;
    const isDown = second === undefined;
    this.#in(answerSeconds, () => {
      host.running--;
      host.throttle.ended();
      if (isTaken) {
        this.#delivered(host);
        host.throttle.delivered();
      } else {
        host.waiting++;
        if (isDown) host.throttle.failed("down", "Connection refused");
        else host.throttle.busy("HTTP 429", retryAfterMs);
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

  /** What is counted in this second; nothing while the server is down. */
  #second(): Second | undefined {
    if (this.#isDown) return undefined;
    const at = Math.floor(this.#nowMs / 1000 - this.#options.outageSeconds);
    while (this.#seconds.length <= at) {
      this.#seconds.push({ asked: 0, taken: 0, probes: 0 });
    }
    return this.#seconds[at];
  }
}

/** Simulates an outage and what comes after it. */
export function simulateFleet(options: FleetOptions): FleetReport {
  return new Fleet(options).run();
}
