import { assert, assertEquals, assertMatch } from "@std/assert";
import { newCaptureId } from "../../sync/capture/capture_id.ts";

/** Stops the clock, at any time of it. */
class Clock implements Disposable {
  nowMs: number = Date.now();
  readonly #now = Date.now;

  constructor() {
    Date.now = () => this.nowMs;
  }

  [Symbol.dispose](): void {
    Date.now = this.#now;
  }
}

function timeOf(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

function assertGrowing(ids: string[]): void {
  for (const [n, id] of ids.entries()) {
    assert(n === 0 || ids[n - 1]! < id, `${ids[n - 1]} before ${id}`);
  }
}

Deno.test("newCaptureId() makes UUIDs of version 7, which begin with the time", () => {
  using clock = new Clock();
  clock.nowMs += 1000;
  const id = newCaptureId();
  assertMatch(
    id,
    /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  assertEquals(timeOf(id), clock.nowMs);
});

Deno.test("newCaptureId() makes ids that grow, more in a millisecond than can be counted", () => {
  using _clock = new Clock();
  assertGrowing(Array.from({ length: 10_000 }, newCaptureId));
});

Deno.test("newCaptureId() makes ids that grow when the clock is set back", () => {
  using clock = new Clock();
  clock.nowMs += 2000;
  const ids = [newCaptureId(), newCaptureId()];
  clock.nowMs -= 86_400_000;
  ids.push(newCaptureId(), newCaptureId());
  clock.nowMs += 86_400_001;
  ids.push(newCaptureId());
  assertGrowing(ids);
  assertEquals(timeOf(ids.at(-1)!), clock.nowMs);
});

Deno.test("newCaptureId() makes ids that other processes do not make in the same millisecond", () => {
  const ids = Array.from({ length: 1000 }, newCaptureId);
  assertEquals(new Set(ids.map((id) => id.slice(19))).size, 1000);
});
