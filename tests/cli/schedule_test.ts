import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { Clock } from "../chaos/clock.ts";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { canCompile } from "../helpers/compile_library.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";

const HOUR_MS = 3_600_000;
/** Whether there is a clock that can be set. */
const ignore = !await canCompile();

/** Times of every day, from and to so many hours from now, by the clock on the wall. */
function hours(from: number, to: number): string {
  const clock = (inHours: number) =>
    new Date(Date.now() + inHours * HOUR_MS).toTimeString().slice(0, 5);
  return `${clock(from)}-${clock(to)}`;
}

/** An agent whose schedule, and more, comes from a settings file. */
async function scheduled(host: Host, schedule: string) {
  const write = (schedule: string) =>
    host.write("agent.env", `JARVIS_SCHEDULE=${schedule}\n`);
  host.env.JARVIS_ENV_FILE = write(schedule);
  return { agent: await host.startAgent(), write };
}

Deno.test("outside the schedule captures are taken over and not sent, and nobody is alarmed", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const times = hours(2, 3);
  const { agent } = await scheduled(host, times);
  await using _agent = agent;
  const until = times.slice(0, 5);
  await agent.said(
    `Captures are taken over and not sent: outside the schedule until ${until}`,
  );
  const [id] = await host.enqueue(host.write("a"));
  {
    using queue = host.queue();
    // It is older than --check allows.
    queue.enqueue(host.write("old"), {}, { createdAtMs: 0 });
  }
  const outside = `outside the schedule until ${until}`;
  const { stdout } = await host.run("status");
  assertStringIncludes(stdout, `\nSchedule  ${outside} (${times})\n`);
  const check = await host.run("status", "--check");
  assertEquals(
    [check.code, check.stdout],
    [0, `ok: ${outside}, 2 captures wait\n`],
  );
  const { schedule } = await host.json<StatusReport>("status");
  assertEquals([schedule?.text, schedule?.open], [times, false]);
  assertStringIncludes(
    (await host.run("show", id!)).stdout,
    `it is ${outside}`,
  );
  assertEquals(server.uploads, []);
});

Deno.test("what a person sends is sent outside the schedule too, and that is said", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const { agent } = await scheduled(host, hours(2, 3));
  const outside =
    /This is outside the schedule until \d\d:\d\d: sent all the same/;
  {
    await using _agent = agent;
    await host.enqueue(host.write("a"));
    const sync = await host.run("sync");
    assertMatch(sync.stderr, outside);
    assertEquals(
      [sync.code, sync.stdout],
      [0, "1 delivered, 0 failed, 0 left\n"],
    );
    const upload = await host.run("upload", host.write("b"));
    assertMatch(upload.stderr, outside);
    assertEquals([upload.code, server.names], [0, ["a", "b"]]);
    // That was all: what comes now waits again.
    await host.enqueue(host.write("c"));
    await host.run("retry", "--all");
    const { pending } = await host.json<StatusReport>("status");
    assertEquals([pending, server.uploads.length], [1, 2]);
  }
  const sync = await host.run("sync");
  assertMatch(sync.stderr, outside);
  assertEquals([sync.code, server.names], [0, ["a", "b", "c"]]);
});

Deno.test("a reload brings another schedule into effect, and none", {
  ignore: Deno.build.os === "windows",
}, async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const { agent, write } = await scheduled(host, hours(2, 3));
  await using _agent = agent;
  await host.enqueue(host.write("a"));
  const times = hours(-1, 2);
  write(times);
  agent.kill("SIGHUP");
  await eventually("it is sent", () => server.uploads.length === 1);
  const until = times.slice(6);
  assertStringIncludes(
    (await host.run("status")).stdout,
    `Schedule  sends until ${until} (${times})\n`,
  );
  write("noon");
  agent.kill("SIGHUP");
  await agent.said('Cannot use JARVIS_SCHEDULE in "');
  assertStringIncludes(
    agent.stderr,
    '"noon": expected always, or times like 22:00-06:00',
  );
  write("");
  agent.kill("SIGHUP");
  await eventually("it has none", async () => {
    const { schedule } = await host.status();
    return schedule === null;
  });
});

Deno.test(
  "an agent sends as soon as a clock that jumps says so, and breaks off when its time is over",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const clock = (await Clock.make(host.makeDir("clock")))!;
    using held = new HeldAnswer();
    server.answer = held.answer;
    Object.assign(host.env, clock.env);
    const { agent } = await scheduled(host, hours(2, 3));
    await using _agent = agent;
    const [id] = await host.enqueue(host.write("a"));
    using queue = host.queue();
    assertEquals(server.inFlight, 0);

    clock.set(2.5 * 3600);
    await eventually("it is being sent", () => server.inFlight === 1);
    // It could have been sent for half an hour only. Before its next beat the agent
    // seems to hang.
    await eventually("nobody is alarmed", async () => {
      const check = await host.run("status", "--check", "--max-age=2h");
      return check.code === 0 && check.stdout.startsWith("ok:");
    });

    clock.set(4 * 3600);
    await eventually(
      "it is put back",
      () => queue.get(id!)?.status === "pending",
    );
    assertEquals(queue.get(id!)!.attempts, 0);
    server.answer = created;
    clock.set(-21.5 * 3600);
    await eventually("it is delivered", () => queue.getStats().delivered === 1);
  },
);

Deno.test("status says how much may leave now, and until when", async () => {
  await using server = new CaptureServer();
  const [from, to] = hours(-1, 2).split("-");
  const timetable = `${from},512K ${to},off`;
  await using host = new Host(server.url, { JARVIS_BANDWIDTH: timetable });
  await using agent = await host.startAgent();
  const { bandwidth } = await host.status();
  assertEquals(
    [bandwidth?.text, bandwidth?.bytesPerSecond],
    [timetable, 524_288],
  );
  assertStringIncludes(
    (await host.run("status")).stdout,
    `Bandwidth 524.3 kB/s until ${to} (${timetable})\n`,
  );
  agent.kill("SIGTERM");
  await agent.ended();
  await using _fixed = await host.startAgent("--bandwidth=2M");
  assertStringIncludes(
    (await host.run("status")).stdout,
    "\nBandwidth 2.1 MB/s\n",
  );
});

Deno.test(
  "a bandwidth takes effect at its time, in an upload that is under way",
  {
    ignore,
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const clock = (await Clock.make(host.makeDir("clock")))!;
    const [from, to] = hours(-1, 2).split("-");
    Object.assign(host.env, {
      ...clock.env,
      JARVIS_BANDWIDTH: `${from},1K ${to},off`,
    });
    await using _agent = await host.startAgent();
    // At the first rate this would take an hour.
    await host.enqueue(host.write("a", new Uint8Array(4_000_000)));
    await eventually("it is being sent", () => server.inFlight === 1);
    clock.set(2.5 * 3600);
    await eventually("it is delivered", () => server.uploads.length === 1);
  },
);
