import { assertEquals } from "@std/assert";
import { OutageLog } from "../../sync/agent/outage_log.ts";

Deno.test("OutageLog tells of an outage once, reminds every ten minutes, and tells of the end", () => {
  const logged: string[] = [];
  let nowMs = 0;
  const log = new OutageLog(
    (level, message) => logged.push(`${level} ${message}`),
    () => nowMs,
  );
  const note = (state: "down" | "ready", waiting: number) =>
    log.note(
      state,
      state === "down" ? "Connection refused" : null,
      () => waiting,
    );

  note("ready", 0);
  assertEquals(logged, []);
  for (let minute = 0; minute <= 25; minute++) {
    nowMs = minute * 60_000;
    note("down", minute + 1);
  }
  note("ready", 30);
  note("ready", 0);
  assertEquals(logged, [
    "warn The server cannot be used, 1 captures wait: Connection refused",
    "warn The server cannot be used for 10m now, 11 captures wait: Connection refused",
    "warn The server cannot be used for 20m now, 21 captures wait: Connection refused",
    "info The server is usable again after 25m, 30 captures wait to be delivered",
  ]);
});
