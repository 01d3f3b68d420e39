import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { CaptureServer, created, deadUrl } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";

Deno.test("sync delivers everything, due or not, tells how far it is, and exits 0", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const [id] = await host.enqueue(...host.writeMany(20));
  {
    using queue = host.queue();
    queue.markUploading(id!);
    queue.markFailed(id!, "HTTP 500");
    assert(queue.nextDueMs()! > 0, "it waits");
  }
  const { code, stdout, stderr } = await host.run("sync");
  assertEquals([code, stdout], [0, "20 delivered, 0 failed, 0 left\n"]);
  assertEquals(new Set(server.names).size, 20);
  assertEquals(stderr.trimEnd().split("\n").length, 20);
});

Deno.test("sync has nothing to do with an empty queue, whatever the server does", async () => {
  await using host = new Host(deadUrl());
  const { code, stdout, stderr } = await host.run("sync");
  assertEquals(
    [code, stdout, stderr],
    [0, "0 delivered, 0 failed, 0 left\n", ""],
  );
});

Deno.test("sync exits 75 when the server cannot be reached, and charges nothing", async () => {
  await using host = new Host(deadUrl());
  await host.enqueue(...host.writeMany(3));
  const { code, stdout } = await host.run("sync", "--json");
  assertEquals(code, 75);
  const { server, ...counts } = JSON.parse(stdout);
  assertEquals(counts, { delivered: 0, failed: 0, left: 3 });
  assertEquals(server.state, "down");
  assertStringIncludes(server.reason, "Cannot reach the server");
  assertStringIncludes((await host.run("sync")).stdout, "3 left: Cannot reach");
  for (const row of await host.json<{ attempts: number }[]>("list")) {
    assertEquals(row.attempts, 0);
  }
});

for (const retryAfter of ["0", "Wed, 21 Oct 2015 07:28:00 GMT"]) {
  Deno.test(`sync says why captures are left by a server that asks to wait for no time (Retry-After: ${retryAfter})`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await host.enqueue(host.write("a.png"));
    const headers = { "retry-after": retryAfter };
    server.answer = () => new Response("busy", { status: 503, headers });
    const { code, stdout } = await host.run("sync");
    assertEquals(
      [code, stdout],
      [75, "0 delivered, 0 failed, 1 left: HTTP 503: busy\n"],
    );
  });
}

Deno.test("sync exits 75 when the server takes some only, and 1 when the rest is refused for good", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await host.enqueue(...host.writeMany(3));
  server.answer = (upload) =>
    upload.filename === "0.png"
      ? new Response(null, { status: 500 })
      : created(upload);
  const { code, stdout } = await host.run("sync");
  assertEquals(code, 75);
  assertStringIncludes(stdout, "2 delivered, 0 failed, 1 left");
  server.answer = () => new Response("no", { status: 422 });
  const last = await host.run("sync", "--json");
  assertEquals(last.code, 1);
  const { delivered, failed, left } = JSON.parse(last.stdout);
  assertEquals([delivered, failed, left], [0, 1, 0]);
  assertEquals((await host.run("sync")).code, 0, "nothing failed this time");
});

Deno.test("sync exits 1 when some are left and some have failed", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await host.enqueue(...host.writeMany(3));
  const statuses = new Map([["0.png", 500], ["1.png", 422]]);
  server.answer = (upload) => {
    const status = statuses.get(upload.filename);
    return status ? new Response(null, { status }) : created(upload);
  };
  const { code, stdout } = await host.run("sync");
  assertStringIncludes(stdout, "1 delivered, 1 failed, 1 left");
  assertEquals(code, 1);
});

Deno.test("a row with a copy and an id that no copy can have is set aside as failed", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await host.enqueue(...host.writeMany(2));
  for (const odd of ["../0.png", "no UUID"]) {
    const [id] = await host.enqueue(host.write("odd.png"));
    using database = openDatabase(`${host.dataDir}/queue.db`);
    database.exec(`UPDATE captures SET id = '${odd}' WHERE id = '${id}'`);
  }
  const { stdout } = await host.run("doctor");
  assertStringIncludes(stdout, "2 captures without a copy");
  const { code, stdout: done } = await host.run("sync");
  // What is in the spool has lost its rows, and is taken up again.
  assertEquals([code, done], [1, "4 delivered, 2 failed, 0 left\n"]);
  for (
    const { lastError } of await host.json<{ lastError: string }[]>("list")
  ) {
    assertStringIncludes(lastError, "in the spool: expected a UUID");
  }
});

Deno.test("sync asks the agent that runs, and waits for it", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  server.answer = () => new Response(null, { status: 500 });
  await host.enqueue(...host.writeMany(2));
  await using _agent = await host.startAgent();
  await eventually("the agent has tried", () => server.uploads.length === 2);
  {
    using queue = host.queue();
    await eventually("they wait", () => queue.getPending().length === 0);
  }
  server.answer = created;
  // It asks the agent, so it need not know the server.
  await using asking = new Host();
  asking.env.JARVIS_DATA_DIR = host.dataDir;
  const { code, stdout } = await asking.run("sync", "--json");
  assertEquals(code, 0);
  assertEquals(JSON.parse(stdout), {
    delivered: 2,
    failed: 0,
    left: 0,
    server: { state: "ready", reason: null },
  });
});

Deno.test("sync says which of its settings the agent that runs does not go by, and where that delivers to", async () => {
  await using server = new CaptureServer();
  await using other = new CaptureServer();
  await using host = new Host(server.url);
  await using agent = await host.startAgent("--concurrency=2");
  await host.enqueue(host.write("a.png"));
  const token = host.write("token", "t");
  Deno.chmodSync(token, 0o600);
  const { code, stdout, stderr } = await host.run(
    ...["sync", "--json", "--server", other.url, "--token-file", token],
  );
  assertEquals([code, JSON.parse(stdout).left], [0, 0]);
  assertEquals([server.uploads.length, other.uploads.length], [1, 0]);
  assertEquals(
    stderr,
    `jarvis-agent: The agent, process ${agent.pid}, delivers to ${server.url} by its own settings, without --server, --token-file: set it there, or end the agent first\n`,
  );
  host.env.JARVIS_SERVER_URL = other.url;
  const byVariable = await host.run("sync");
  assertStringIncludes(byVariable.stderr, "without JARVIS_SERVER_URL: ");
  const same = await host.run("sync", "--server", `${server.url}/`);
  assertEquals([same.code, same.stderr], [0, ""]);
});

Deno.test("sync does it by itself when the agent that it asked dies", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  using held = new HeldAnswer();
  server.answer = held.answer;
  await host.enqueue(...host.writeMany(1));
  await using agent = await host.startAgent();
  await eventually("the agent is at it", () => server.inFlight === 1);
  await using sync = host.start("sync");
  {
    using queue = host.queue();
    await eventually(
      "it was asked",
      () => queue.getAgentState().syncRequested > 0,
    );
  }
  server.answer = created;
  agent.kill("SIGKILL");
  const { code, stdout } = await sync.ended();
  assertEquals([code, stdout], [0, "1 delivered, 0 failed, 0 left\n"]);
  const [first, second] = server.uploads;
  assertEquals(first!.key, second!.key);
});

Deno.test(
  "sync exits 75 beside an agent that was stopped, and says what to do",
  {
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using host = new Host(deadUrl());
    await using agent = await host.startAgent();
    await host.suspend(agent);
    const since = new Date(1_700_000_000_000);
    Deno.utimeSync(`${host.dataDir}/agent.heartbeat`, since, since);
    await using sync = host.start("sync");
    await sync.said(
      `the agent, process ${agent.pid}, does not answer since ${since.toISOString()}; "kill -CONT ${agent.pid}"`,
    );
    assertEquals((await sync.ended()).code, 75);
  },
);

Deno.test("sync that is interrupted puts back what was under way, and exits 75", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  using held = new HeldAnswer();
  server.answer = held.answer;
  await host.enqueue(...host.writeMany(6));
  await using sync = host.start("sync");
  await eventually("some have begun", () => server.inFlight === 4);
  sync.kill("SIGINT");
  const { code, stdout } = await sync.ended();
  assertEquals(code, 75);
  assertStringIncludes(stdout, "0 delivered, 0 failed, 6 left");
  for (const row of await host.json<Record<string, unknown>[]>("list")) {
    assertEquals([row.status, row.attempts], ["pending", 0]);
  }
});
