import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { Spool } from "../../sync/spool/spool.ts";
import { CaptureServer, created, deadUrl } from "../helpers/capture_server.ts";
import { startCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";

Deno.test("run delivers what is enqueued while it runs, and ends with 0 when told to", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await host.enqueue(host.write("before.png"));
  await using agent = await host.startAgent();
  await host.enqueue(host.write("after.png"));
  await eventually("both arrive", () => server.uploads.length === 2);
  const { stdout, stderr } = await agent.stop();
  assertEquals(stdout, "");
  assertMatch(
    stderr,
    /^\S+Z info {2}Delivering to http:\S+, 1 capture waiting$/m,
  );
  assertMatch(stderr, /info {2}Stopped\n$/);
});

Deno.test("status shows the agent that runs, and how the server stands", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await using agent = await host.startAgent();
  await host.enqueue(host.write("a"));
  await eventually("it arrives", () => server.uploads.length === 1);
  const ready = await host.json<StatusReport>("status");
  const { running, pid, hanging } = ready.agent;
  assertEquals({ running, pid, hanging }, {
    running: true,
    pid: agent.pid,
    hanging: false,
  });
  assertEquals([ready.server.state, ready.server.reason], ["ready", null]);
  assertMatch(ready.server.since!, /^\d{4}-.*Z$/);

  server.answer = () => new Response("not you", { status: 401 });
  await host.enqueue(host.write("b"));
  await agent.said("The server cannot be used");
  const paused = await host.json<StatusReport>("status");
  assertEquals(paused.server.state, "paused");
  assertEquals(paused.server.reason, "HTTP 401 Unauthorized");
  assertStringIncludes(
    (await host.run("status")).stdout,
    `Agent     running, process ${agent.pid}\n`,
  );
  agent.kill("SIGKILL");
  await agent.ended();
  const dead = await host.json<StatusReport>("status");
  assertEquals([dead.agent.running, dead.agent.pid], [false, null]);
  assertEquals(dead.server.state, "unknown");
});

Deno.test("a second run exits with 1 at once, and says which process is the agent", async () => {
  await using host = new Host(deadUrl());
  await using agent = await host.startAgent();
  const { code, stderr } = await host.run("run");
  assertEquals(code, 1);
  assertStringIncludes(stderr, `process ${agent.pid} is its agent already`);
  assertStringIncludes(stderr, '"jarvis-agent status" shows it');
  assertEquals((await host.json<StatusReport>("status")).agent.pid, agent.pid);
});

Deno.test(
  "no second agent begins on a queue whose lock file was removed or replaced",
  {
    // There the file itself is locked.
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using host = new Host(deadUrl());
    await using agent = await host.startAgent();
    const lock = `${host.dataDir}/agent.lock`;
    for (
      const change of [
        () => Deno.removeSync(lock),
        () => Deno.renameSync(host.write("another", ""), lock),
      ]
    ) {
      change();
      await using second = host.start("run");
      await second.said(`process ${agent.pid} is its agent already`);
      assertEquals((await second.ended()).code, 1);
      const { pid } = (await host.json<StatusReport>("status")).agent;
      assertEquals(pid, agent.pid);
    }
  },
);

Deno.test(
  "an agent whose queue was removed goes on with another one, and has lost nothing",
  {
    // An open file cannot be removed there.
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using agent = await host.startAgent();
    const [delivered] = await host.enqueue(host.write("delivered"));
    await eventually("it arrives", () => server.uploads.length === 1);
    server.answer = () => new Response(null, { status: 500 });
    const path = host.write("in its place");
    const ids = [
      ...await host.enqueue(host.write("copied")),
      (await host.run("enqueue", "--no-copy", path)).stdout.trim(),
    ];
    await eventually("all were tried", () => server.uploads.length >= 3);
    for (const end of ["", "-wal", "-shm"]) {
      await Deno.remove(`${host.dataDir}/queue.db${end}`);
    }
    ids.push(...await host.enqueue(host.write("after")));
    await agent.said("was removed or replaced: going on with another one");
    await agent.said("of the lost queue taken over");
    server.answer = created;
    assertEquals((await host.run("sync")).code, 0);
    const history = await host.json<{ id: string }[]>("history");
    assertEquals(
      history.map(({ id }) => id).sort(),
      [delivered!, ...ids].sort(),
    );
    const { pid } = (await host.json<StatusReport>("status")).agent;
    assertEquals(pid, agent.pid);
  },
);

Deno.test(
  "an agent whose data directory was moved away begins another one, and no capture has failed",
  {
    // What is open there cannot be moved.
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    using held = new HeldAnswer();
    server.answer = held.delivery;
    await host.enqueue(host.write("a.png"), host.write("b.png"));
    await using agent = await host.startAgent("--concurrency", "1");
    await eventually("it sends the first", () => server.inFlight === 1);
    const moved = host.join("moved");
    Deno.renameSync(host.dataDir, moved);
    held.release();
    await agent.said("was removed or replaced: going on with another one");
    await host.enqueue(host.write("c.png"));
    await eventually("it arrives", () => server.names.includes("c.png"));
    host.env.JARVIS_DATA_DIR = moved;
    assertEquals(
      (await host.run("sync")).stdout,
      "2 delivered, 0 failed, 0 left\n",
    );
    const contents = new Map(
      server.uploads.map(({ key, filename }) => [key, filename]),
    );
    assertEquals([...contents.values()].sort(), ["a.png", "b.png", "c.png"]);
  },
);

Deno.test("SIGTERM gives an upload under way its time", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  using held = new HeldAnswer();
  server.answer = held.delivery;
  await host.enqueue(host.write("slow"), host.write("next"));
  await using agent = await host.startAgent("--concurrency=1", "--grace=60");
  await eventually("it has begun", () => server.inFlight === 1);
  agent.kill("SIGTERM");
  await host.enqueue(host.write("late"));
  held.release();
  const { code } = await agent.ended();
  assertEquals([code, server.names], [0, ["slow"]]);
  assertEquals((await host.json<StatusReport>("status")).pending, 2);
});

Deno.test("SIGINT puts an upload back uncharged that does not end in time, and exits 0", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  using held = new HeldAnswer();
  server.answer = held.answer;
  await host.enqueue(host.write("slow"));
  await using agent = await host.startAgent("--grace=0.1");
  await eventually("it has begun", () => server.inFlight === 1);
  agent.kill("SIGINT");
  const { code } = await agent.ended();
  const [row] = await host.json<Record<string, unknown>[]>("list");
  assertEquals([code, row!.status, row!.attempts], [0, "pending", 0]);
});

for (
  const [signal, expected] of [["SIGTERM", 143], ["SIGQUIT", 131]] as const
) {
  Deno.test(`a second ${signal} ends the agent at once, and nothing is lost`, {
    ignore: Deno.build.os === "windows" && signal === "SIGQUIT",
  }, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    using held = new HeldAnswer();
    server.answer = held.answer;
    const [id] = await host.enqueue(host.write("slow"));
    await using agent = await host.startAgent("--grace=600");
    await eventually("it has begun", () => server.inFlight === 1);
    let code: number | undefined;
    agent.ended().then((ended) => code = ended.code);
    // Two that come together may count as one.
    await eventually("it ends", () => {
      try {
        agent.kill(signal);
      } catch {
        // It has ended.
      }
      return code !== undefined;
    });
    assertEquals(code, expected);
    server.answer = created;
    assertEquals((await host.run("sync")).code, 0);
    assertEquals(server.uploads.map(({ key }) => key), [id, id]);
  });
}

Deno.test(
  "SIGHUP reads the token again, and one that cannot be used changes nothing",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    const seen: (string | null)[] = [];
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => {
        await request.body?.cancel();
        if (request.method === "GET") return new Response();
        seen.push(request.headers.get("authorization"));
        return Response.json({ id: 1 }, { status: 201 });
      },
    );
    await using host = new Host(`http://127.0.0.1:${server.addr.port}`);
    const token = host.write("token", "first\n");
    await using agent = await host.startAgent("--token-file", token);
    const delivered = async (name: string) => {
      await host.enqueue(host.write(name));
      await eventually(`${name} arrives`, () => seen.length === Number(name));
    };
    await delivered("1");
    host.write("token", "second\n");
    agent.kill("SIGHUP");
    await agent.said("The token was read again");
    await delivered("2");
    host.write("token", "");
    agent.kill("SIGHUP");
    await agent.said("it is empty, expected the token in it; going on");
    await delivered("3");
    assertEquals(seen, ["Bearer first", "Bearer second", "Bearer second"]);
    assert(!agent.stderr.includes("second"), "no token in the log");
  },
);

Deno.test("the log tells of each delivery in one line, unless told otherwise, and never of metadata", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  for (const args of [[], ["--log-level=warn"], ["--log-format=json"]]) {
    await host.run(
      ...["enqueue", host.write("a\nb.png"), "--metadata", "pin=hush"],
    );
    await using agent = host.start("run", ...args);
    const before = server.uploads.length;
    await eventually("it arrives", () => server.uploads.length > before);
    agent.kill("SIGTERM");
    const { stderr } = await agent.ended();
    const tells = stderr.includes("is delivered: 7 bytes in ");
    assertEquals(tells, args[0] !== "--log-level=warn", stderr);
    assert(!stderr.includes("hush"), stderr);
    if (args[0] !== "--log-format=json") continue;
    const events = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
    const delivered = events.find(({ event }) => event === "delivered");
    assertEquals([delivered.bytes, delivered.status], [7, 201]);
    assert(delivered.ms >= 0 && delivered.serverId && delivered.captureId);
  }
});

Deno.test("a backlog is delivered, each capture once, and its copies go", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const count = 1200;
  const names = Array.from({ length: count }, (_, n) => `${n}.png`);
  await host.enqueue(...names.map((name) => host.write(name)));
  await using agent = await host.startAgent();
  await eventually("all arrive", () => server.uploads.length === count);
  await agent.stop();
  assertEquals(server.names.toSorted(), names.toSorted());
  const { delivered, pending, uploading } = await host.json<
    Record<string, unknown>
  >("status");
  assertEquals([delivered, pending, uploading], [count, 0, 0]);
  const spool = new Spool(`${host.dataDir}/spool`);
  assertEquals([...spool.ids()].flat(), []);
});

Deno.test("the log carries priorities for the journal, and only for it", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using host = new Host(deadUrl());
  const journal = 'JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) exec "$@"';
  const through = ["sh", "-c", journal, "sh"];
  await using agent = startCli(["run"], { env: host.env, through });
  await agent.said("Delivering to");
  assertMatch(agent.stderr, /^<6>Delivering to/);
  agent.kill("SIGKILL");
  await agent.ended();
  const env = { ...host.env, JOURNAL_STREAM: "1:1" };
  await using other = startCli(["run"], { env });
  await other.said("Delivering to");
  assertMatch(other.stderr, /^\d{4}-\S+Z info {2}Delivering to/);
});
