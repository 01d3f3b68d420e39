import { assertEquals } from "@std/assert";
import { PauseSwitch } from "../../sync/agent/pause_switch.ts";
import { isHanging } from "../../sync/agent/heartbeat.ts";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const NOW = Date.UTC(2026, 1, 3);
const YEARS = 1500 * 86_400_000;

Deno.test("a pause that was begun by a clock far ahead lasts as long as was meant, from now on", async () => {
  await using dir = new TempDir();
  const path = dir.join("queue.db");
  {
    using ahead = new UploadQueue(path, { now: () => NOW + YEARS });
    ahead.pause(NOW + YEARS + 5_000);
  }
  let nowMs = NOW;
  const now = () => nowMs;
  using queue = new UploadQueue(path, { now });
  const expected = { since: NOW, until: NOW + 5_000 };
  {
    // It is said, and changes nothing.
    using look = new UploadQueue(path, { now, looksOnly: true });
    assertEquals(look.getPause(), expected);
  }
  assertEquals(queue.getPause(), expected);
  nowMs += 4_000;
  assertEquals(queue.getPause(), expected);
  nowMs += 1_000;
  assertEquals(queue.getPause(), null);
});

Deno.test("a pause that was set anew by a clock far ahead ends, too", async () => {
  await using dir = new TempDir();
  let nowMs = NOW;
  using queue = new UploadQueue(dir.join("queue.db"), { now: () => nowMs });
  queue.pause(null);
  nowMs += YEARS;
  queue.pause(nowMs + 5_000);
  nowMs = NOW + 1_000;
  assertEquals(queue.getPause(), { since: nowMs, until: nowMs + 5_000 });
  nowMs += 5_000;
  assertEquals(queue.getPause(), null);
});

Deno.test("a pause without an end goes on whatever the clock does", async () => {
  await using dir = new TempDir();
  let nowMs = NOW + YEARS;
  using queue = new UploadQueue(dir.join("queue.db"), { now: () => nowMs });
  queue.pause(null);
  nowMs = NOW;
  assertEquals(queue.getPause(), { since: NOW, until: null });
});

Deno.test("an agent whose clock is set back in a pause goes on when it is over", async () => {
  await using dir = new TempDir();
  let nowMs = NOW + YEARS;
  const now = () => nowMs;
  using queue = new UploadQueue(dir.join("queue.db"), { now });
  const pause = new PauseSwitch(queue, { log: () => {}, now });
  queue.pause(nowMs + 5_000);
  pause.look();
  nowMs = NOW;
  pause.turn();
  assertEquals([pause.isOn, pause.leftMs], [true, 5_000]);
  nowMs += 5_000;
  pause.turn();
  assertEquals(pause.isOn, false);
});

Deno.test("an agent hangs whose last sign of life is from before the clock was set back", () => {
  assertEquals(isHanging(NOW + YEARS, NOW), true);
  assertEquals(isHanging(NOW + 2_000, NOW), false);
  assertEquals(isHanging(NOW - 31_000, NOW), true);
});
