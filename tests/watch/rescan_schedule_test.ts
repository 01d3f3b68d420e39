import { assert, assertEquals } from "@std/assert";
import { RescanSchedule } from "../../sync/watch/rescan_schedule.ts";

const HOUR_MS = 3_600_000;

Deno.test("a rescan that is asked for while one goes on is not forgotten when that ends", () => {
  const schedule = new RescanSchedule(HOUR_MS, HOUR_MS);
  assertEquals(schedule.due(), undefined);
  schedule.soon(0);
  assertEquals(schedule.due(), "full");
  schedule.soon(5_000);
  schedule.ended("full", 0);
  assert(schedule.at - performance.now() <= 5_000);

  schedule.soon(0);
  assertEquals(schedule.due(), "full");
  schedule.ended("full", 0);
  // Nobody has asked for a further one.
  assert(schedule.at - performance.now() > 5_000);
});
