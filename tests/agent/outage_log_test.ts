import { assertEquals } from "@std/assert";
import { OutageLog } from "../../sync/agent/outage_log.ts";

/** A log on a clock that the test moves. */
function outageLogAt() {
  const logged: string[] = [];
  let nowMs = 0;
  const log = new OutageLog(
    (level, message) => logged.push(`${level} ${message}`),
    () => nowMs,
  );
  return {
    logged,
    /** Notes, so many minutes after the start, why the server cannot be used. */
    note(minute: number, reason: string | null) {
      nowMs = minute * 60_000;
      const state = reason === null ? "ready" : "down";
      log.note({ state, reason, since: 0 }, () => minute + 1);
    },
  };
}

Deno.test("OutageLog tells of an outage once, reminds every ten minutes, and tells of the end", () => {
  const { logged, note } = outageLogAt();
  note(0, null);
  assertEquals(logged, []);
  for (let minute = 0; minute <= 25; minute++) {
    note(minute, "Connection refused");
  }
  note(25, null);
  note(25, null);
  assertEquals(logged, [
    "warn The server cannot be used, 1 captures wait: Connection refused",
    "warn The server cannot be used for 10m now, 11 captures wait: Connection refused",
    "warn The server cannot be used for 20m now, 21 captures wait: Connection refused",
    "info The server is usable again after 25m, 26 captures wait to be delivered",
  ]);
});

Deno.test("OutageLog tells of another cause, but not each time that causes take turns", () => {
  const { logged, note } = outageLogAt();
  for (let minute = 0; minute <= 12; minute++) {
    note(minute, "Connection refused");
    if (minute > 2) note(minute, "HTTP 401");
  }
  assertEquals(logged, [
    "warn The server cannot be used, 1 captures wait: Connection refused",
    "warn The server cannot be used for 3m now, 4 captures wait: HTTP 401",
  ]);
});
