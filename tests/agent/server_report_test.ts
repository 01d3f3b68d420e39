import { assertEquals } from "@std/assert";
import { OutageLog } from "../../sync/agent/server_report.ts";

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
    note(
      minute: number,
      reason: string | null,
      options: { state?: "paused"; isLast?: boolean } = {},
    ) {
      nowMs = minute * 60_000;
      const { state = reason === null ? "ready" : "down", isLast } = options;
      log.note({ state, reason, since: 0 }, {
        waiting: () => Math.floor(minute) + 1,
        ...(isLast && { isLast }),
      });
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
    "warn The server cannot be used, 1 capture waits: Connection refused",
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
    "warn The server cannot be used, 1 capture waits: Connection refused",
    "warn The server cannot be used for 3m now, 4 captures wait: HTTP 401",
  ]);
});

Deno.test("OutageLog says nothing of a pause of moments, unless it is the last that is known", () => {
  const { logged, note } = outageLogAt();
  note(0, "HTTP 403", { state: "paused" });
  note(0.05, null);
  assertEquals(logged, []);
  note(1, "HTTP 403", { state: "paused" });
  note(1.1, "HTTP 403", { state: "paused" });
  note(2, null);
  note(3, "HTTP 403", { state: "paused", isLast: true });
  assertEquals(logged, [
    "warn The server cannot be used, 2 captures wait: HTTP 403",
    "info The server is usable again after 1m, 3 captures wait to be delivered",
    "warn The server cannot be used, 4 captures wait: HTTP 403",
  ]);
});
