import { assert, assertEquals } from "@std/assert";
import { Concurrency } from "../../sync/agent/concurrency.ts";

/** A server that takes some time for each capture, and only so many in a second. */
class Line {
  #nowMs = 0;
  latencyMs: number;
  mostPerSecond: number;
  readonly concurrency: Concurrency;

  constructor(max: number, latencyMs: number, mostPerSecond = Infinity) {
    this.latencyMs = latencyMs;
    this.mostPerSecond = mostPerSecond;
    this.concurrency = new Concurrency({ max, now: () => this.#nowMs });
  }

  /** Sends captures with every place taken; returns the level at the end. */
  send(captures: number): number {
    for (let i = 0; i < captures; i++) {
      const { limit } = this.concurrency;
      const perSecond = Math.min(
        limit / this.latencyMs * 1000,
        this.mostPerSecond,
      );
      this.#nowMs += 1000 / perSecond;
      this.concurrency.delivered();
    }
    return this.concurrency.limit;
  }
}

Deno.test("Concurrency rises to its maximum while more gets through", () => {
  assertEquals(new Line(32, 20).send(2000), 32);
});

Deno.test("Concurrency stays near what a server can take", () => {
  const line = new Line(64, 20, 300);

  const levels = Array.from({ length: 50 }, () => line.send(100));

  // 300 a second at 20 ms each are 6 at a time; 16 is only tried.
  assert(levels.filter((level) => level === 8).length > 30, levels.join());
  assert(levels.slice(10).every((level) => level === 8 || level === 16));
});

Deno.test("Concurrency does not rise where one at a time fills the line", () => {
  const line = new Line(32, 1000, 1);

  const levels = Array.from({ length: 100 }, () => line.send(10));

  assert(levels.every((level) => level <= 8), levels.join());
  assert(levels.filter((level) => level === 4).length > 60, levels.join());
});

Deno.test("Concurrency begins with one at a time again after a refusal, and rises", () => {
  const line = new Line(32, 20);
  line.send(2000);

  line.concurrency.reset();

  assertEquals(line.concurrency.limit, 1);
  assertEquals(line.send(5000), 32);
});

Deno.test("Concurrency rises as soon after a refusal as at first, whatever it has learnt", () => {
  const line = new Line(64, 20, 300);
  line.send(10_000);
  line.concurrency.reset();
  assert(line.send(150) >= 4);
});

Deno.test("Concurrency rises after a refusal to what it begins with, also where there is little to do", () => {
  const line = new Line(32, 20);
  line.concurrency.reset();

  const levels = Array.from({ length: 100 }, () => {
    line.concurrency.starved();
    return line.send(1);
  });

  assertEquals(levels[6], 1);
  assertEquals(levels.at(-1), 4);
});

Deno.test("Concurrency learns nothing while places are free", () => {
  const line = new Line(32, 20);
  for (let i = 0; i < 200; i++) {
    line.send(10);
    line.concurrency.starved();
  }

  assertEquals(line.concurrency.limit, 4);
});

Deno.test("Concurrency never goes beyond its maximum", () => {
  for (const max of [1, 2, 3, 5]) {
    const line = new Line(max, 20);
    assert(
      Array.from({ length: 500 }, () => line.send(1))
        .every((level) => level <= max),
    );
    assertEquals(line.concurrency.limit, max);
  }
});
