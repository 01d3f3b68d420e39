import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";

Deno.test("pause stops the agent that runs at once, in the midst of an upload, and resume lets it go on", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  using held = new HeldAnswer();
  server.answer = held.answer;
  const [id] = await host.enqueue(host.write("a"));
  await using agent = await host.startAgent();
  await eventually("it is being sent", () => server.inFlight === 1);

  const paused = await host.run("pause");
  assertEquals(paused.code, 0);
  assertStringIncludes(paused.stdout, "Deliveries are paused: ");
  using queue = host.queue();
  await eventually(
    "it is put back",
    () => queue.get(id!)?.status === "pending",
  );
  assertEquals(queue.get(id!)!.attempts, 0);
  await agent.said("Deliveries are paused");
  server.answer = created;

  assertEquals((await host.run("resume")).stdout, "Deliveries go on\n");
  await eventually("it is delivered", () => queue.getStats().delivered === 1);
  assertEquals(server.uploads.length, 2);
});

Deno.test("A pause survives restarts; sync and upload say so and exit 75", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await host.enqueue(host.write("a"));
  await host.run("pause", "--for=2h");
  const sync = await host.run("sync");
  assertEquals(sync.code, 75);
  assertMatch(
    sync.stdout,
    /^0 delivered.* 1 left: Deliveries are paused until \d{4}-.*resume/,
  );
  const upload = await host.run("upload", host.write("b"));
  assertEquals(upload.code, 75);
  assertStringIncludes(upload.stdout, "deliveries are paused");
  {
    await using agent = await host.startAgent();
    await agent.said("Deliveries are paused");
    // It takes over, and sends nothing.
    await host.enqueue(host.write("c"));
    agent.kill("SIGTERM");
    await agent.ended();
  }
  assertEquals(server.uploads, []);
  assertEquals((await host.run("resume")).code, 0);
  assertEquals((await host.run("sync")).stdout.slice(0, 11), "3 delivered");
});

Deno.test("A pause ends by itself when its time is over", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await using agent = await host.startAgent();
  {
    using queue = host.queue();
    queue.pause(Date.now() + 3_000);
  }
  await agent.said("Deliveries are paused");
  await host.enqueue(host.write("a"));
  await agent.said("Deliveries go on");
  await eventually("it is delivered", () => server.uploads.length === 1);
  assertEquals(
    (await host.run("resume")).stdout,
    "Deliveries were not paused\n",
  );
});

Deno.test("pause wants a time that it can read, and a queue", async () => {
  await using host = new Host();
  const none = await host.run("pause");
  assertEquals(none.code, 1);
  assertStringIncludes(none.stderr, "There is no queue");
  const wrong = await host.run("pause", "--for=soon");
  assertEquals(wrong.code, 2);
});

Deno.test("pause ends a sync in the midst of an upload, which is put back", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  using held = new HeldAnswer();
  server.answer = held.answer;
  const [id] = await host.enqueue(host.write("a"));
  await using sync = host.start("sync");
  await eventually("it is being sent", () => server.inFlight === 1);
  await host.run("pause");
  const { code, stdout } = await sync.ended();
  assertEquals(code, 75);
  assertStringIncludes(stdout, "1 left: Deliveries are paused: ");
  using queue = host.queue();
  const { status, attempts } = queue.get(id!)!;
  assertEquals([status, attempts], ["pending", 0]);
});

Deno.test(
  "a pause outlives the queue's file that is removed under the agent",
  {
    // An open file cannot be removed there.
    ignore: Deno.build.os === "windows",
  },
  async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    await using agent = await host.startAgent();
    await host.run("pause", "--for=2h");
    await host.enqueue(host.write("a"));
    for (const end of ["", "-wal", "-shm"]) {
      Deno.removeSync(`${host.dataDir}/queue.db${end}`);
    }
    await agent.said("1 capture of the lost queue taken over");
    const { code, stdout } = await host.run("sync");
    assertEquals(code, 75);
    assertStringIncludes(stdout, "1 left: Deliveries are paused until ");
    assertEquals(server.uploads, []);
  },
);
