import { assert, assertEquals } from "@std/assert";
import { UploadQueue } from "../../sync/queue/queue.ts";
import { AgentFixture } from "../helpers/agent_fixture.ts";
import { CaptureServer, created, deadUrl } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";

Deno.test("SyncAgent.run() delivers what another connection enqueues, until it is stopped", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  using other = new UploadQueue(fixture.queue.path);
  const stop = new AbortController();
  const running = fixture.agent().run(stop.signal);

  for (const name of ["a", "b"]) {
    other.enqueue(fixture.dir.write(name, name));
    await eventually(`${name} arrives`, () => server.names.includes(name));
  }
  stop.abort();
  await running;
  assertEquals(fixture.queue.getStats().delivered, 2);
});

Deno.test("SyncAgent.run() sends a capture that comes while a slow upload is under way", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const slow = Promise.withResolvers<void>();
  server.answer = async (upload) => {
    if (upload.filename === "slow") await slow.promise;
    return created(upload);
  };
  const stop = new AbortController();
  const agent = fixture.agent();
  fixture.enqueue("slow");
  const running = agent.run(stop.signal);
  await eventually("the slow one has begun", () => server.inFlight === 1);

  fixture.enqueue("quick");
  agent.wake();
  await eventually(
    "the quick one arrives",
    () => server.names.includes("quick"),
  );

  slow.resolve();
  stop.abort();
  await running;
  assertEquals(fixture.queue.getStats().delivered, 2);
});

Deno.test("SyncAgent.run() lets an upload under way end within its grace when stopped, and begins no other", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const slow = Promise.withResolvers<void>();
  server.answer = async (upload) => {
    await slow.promise;
    return created(upload);
  };
  fixture.enqueue("a", "b");
  const stop = new AbortController();
  const running = fixture.agent({ concurrency: 1 }).run(stop.signal);
  await eventually("the first has begun", () => server.inFlight === 1);

  stop.abort();
  slow.resolve();
  await running;

  assertEquals(server.names, ["a"]);
  assertEquals(fixture.queue.getStats(), {
    pending: 1,
    uploading: 0,
    failed: 0,
    delivered: 1,
  });
});

Deno.test("SyncAgent.run() puts uploads back uncharged that do not end within their grace", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const never = Promise.withResolvers<Response>();
  server.answer = () => never.promise;
  const [id] = fixture.enqueue("a", "b");
  const stop = new AbortController();
  const running = fixture.agent({ graceMs: 50 }).run(stop.signal);
  await eventually("both have begun", () => server.inFlight === 2);

  stop.abort();
  await running;
  never.resolve(new Response());

  assertEquals(fixture.queue.getStats().pending, 2);
  assertEquals(fixture.queue.get(id!)!.attempts, 0);
});

Deno.test("SyncAgent.run() tries everything at once when a sync is asked for, and says when it is done", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () => new Response(null, { status: 500 });
  fixture.enqueue("a");
  const stop = new AbortController();
  const running = fixture.agent().run(stop.signal);
  await eventually(
    "the first attempt is charged",
    () => fixture.queue.nextDueMs() !== null,
  );

  server.answer = created;
  using other = new UploadQueue(fixture.queue.path);
  const number = other.requestSync();
  await eventually(
    "the sync is done",
    () => other.getAgentState().syncCompleted >= number,
  );
  assertEquals(other.getStats().delivered, 1);
  stop.abort();
  await running;
});

Deno.test("SyncAgent.run() completes a sync though the server is down", async () => {
  await using fixture = new AgentFixture(deadUrl());
  fixture.enqueue("a");
  const stop = new AbortController();
  const running = fixture.agent().run(stop.signal);
  await eventually(
    "the server is known to be down",
    () => fixture.queue.getAgentState().serverState === "down",
  );

  using other = new UploadQueue(fixture.queue.path);
  const number = other.requestSync();
  await eventually(
    "the sync is done",
    () => other.getAgentState().syncCompleted >= number,
  );
  const { pending, failed } = other.getStats();
  assertEquals([pending, failed], [1, 0]);
  stop.abort();
  await running;
});

Deno.test("SyncAgent.run() ends with the error if the queue cannot be used any more", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const broken = new Error("database disk image is malformed");
  const queue = new Proxy(fixture.queue, {
    get(target, name) {
      if (name === "dataVersion") {
        return () => {
          throw broken;
        };
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

  const ended = await fixture.agent({ queue })
    .run(new AbortController().signal).catch((error) => error);
  assert(ended === broken, `ended with ${ended}`);
});
