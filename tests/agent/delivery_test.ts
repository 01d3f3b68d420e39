import { assert, assertEquals, assertMatch } from "@std/assert";
import { CaptureReadError } from "../../sync/capture/errors.ts";
import { openByPath } from "../../sync/spool/private_copy.ts";
import { openRegularFile } from "../../sync/host/opened_file.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { AgentFixture } from "../helpers/agent_fixture.ts";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { sha256Of } from "../../sync/host/sha256.ts";

Deno.test("The agent adds what the host knows to the metadata; the caller's keys win", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const path = fixture.dir.write("door.png", "12345");
  fixture.queue.enqueue(path, { hostname: "kiosk-7", door: 3 });

  await fixture.agent().runOnce();

  const { timestamp, sha256: _, ...rest } = server.uploads[0]!.metadata;
  assertEquals(rest, {
    hostname: "kiosk-7",
    door: 3,
    filename: "door.png",
    size: 5,
  });
  assertEquals(timestamp, Deno.statSync(path).mtime!.toISOString());
});

Deno.test("The agent fails a capture whose metadata another program spoilt, and delivers the others", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const [spoilt] = fixture.enqueue("a", "b");
  using database = openDatabase(fixture.queue.path);
  database.exec(
    `UPDATE captures SET metadata_json = '{' WHERE id = '${spoilt}'`,
  );

  assertEquals(await fixture.agent().runOnce(), {
    delivered: 1,
    failed: 1,
    postponed: 0,
  });
  assertMatch(
    fixture.queue.get(spoilt!)!.lastError ?? "",
    /Cannot read the metadata/,
  );
});

Deno.test("The agent keeps what an unforeseen error hits, uncharged, and logs the error with its stack", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const ids = fixture.enqueue("a", "b");
  fixture.uploader.close();

  await fixture.agent().runOnce();

  assertEquals(fixture.queue.getStats().pending, 2);
  assertEquals(fixture.attempts(ids), [0, 0]);
  assertMatch(
    fixture.logged.join("\n"),
    /error Capture "a" .* could not be sent: TypeError: .*closed\n.* at /,
  );
});

Deno.test("The agent sends no more than so many at a time, and a slow one holds up no other", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const othersDone = Promise.withResolvers<void>();
  const threeAtATime = Promise.withResolvers<void>();
  server.answer = async (upload) => {
    if (server.inFlight === 3) threeAtATime.resolve();
    await threeAtATime.promise;
    if (upload.filename === "slow") await othersDone.promise;
    else if (server.uploads.length === 20) othersDone.resolve();
    return created(upload);
  };
  fixture.enqueue("slow", ...Array.from({ length: 19 }, (_, i) => `c${i}`));

  const report = await fixture.agent({ concurrency: 3 })
    .runOnce();

  assertEquals(report.delivered, 20);
  assertEquals(server.mostInFlight, 3);
});

Deno.test("The agent sends a capture that comes while a slow upload is under way", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const slow = Promise.withResolvers<void>();
  server.answer = async (upload) => {
    if (upload.filename === "slow") await slow.promise;
    return created(upload);
  };
  fixture.enqueue("slow");
  await using running = fixture.running();
  await eventually("the slow one has begun", () => server.inFlight === 1);

  fixture.enqueue("quick");
  running.agent.wake();
  await eventually(
    "the quick one arrives",
    () => server.names.includes("quick"),
  );
  slow.resolve();
});

Deno.test("The agent goes on with others after a failure though a slow upload is under way", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const slow = Promise.withResolvers<void>();
  let refused = 0;
  server.answer = async (upload) => {
    if (upload.filename === "slow") await slow.promise;
    else if (refused++ === 0) return new Response(null, { status: 429 });
    return created(upload);
  };
  fixture.enqueue("slow", "b", "c", "d");
  await using _running = fixture.running();
  await eventually(
    "the others arrive",
    () => fixture.queue.getStats().delivered === 3,
  );
  assertEquals(server.inFlight, 1);
  slow.resolve();
});

Deno.test("The agent leaves a place to small captures, however many large ones there are", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url, { timeout: 20_000 });
  const large = ["large 1", "large 2"].map((name) => {
    const path = fixture.dir.write(name, "");
    Deno.truncateSync(path, 100 * 1024 * 1024 + 1);
    using file = openRegularFile(path);
    return { filepath: path, metadataJson: "{}", identity: file.identity };
  });
  fixture.queue.enqueueMany(large);
  fixture.enqueue("small");
  const small = Promise.withResolvers<void>();
  server.answer = async (upload) => {
    if (upload.filename === "small") small.resolve();
    else await small.promise;
    return created(upload);
  };
  await fixture.agent({ concurrency: 2 }).runOnce();
  assertEquals(server.names.toSorted(), ["large 1", "large 2", "small"]);
});

Deno.test("The agent sends a capture at once from where its file was found while an attempt looked for it elsewhere", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const { queue, dir } = fixture;
  const [path, found] = [dir.join("away"), dir.write("found", "bytes")];
  using file = openRegularFile(found);
  const { identity } = file;
  const watched = {
    filepath: path,
    metadataJson: "{}",
    identity,
    watched: true,
  };
  queue.enqueueMany([watched]);
  const openOriginal = (capture: Parameters<typeof openByPath>[0]) => {
    if (capture.filepath !== path) return openByPath(capture);
    queue.knownWatched([{ path: found, identity }]);
    throw new CaptureReadError("its disk is away");
  };

  const { delivered } = await fixture.agent({ openOriginal }).runOnce();

  assertEquals([delivered, server.names], [1, ["away"]]);
});

Deno.test("The agent calls back only when a delivery is recorded", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  fixture.enqueue("a", "b");
  const recorded: boolean[] = [];
  const onDelivered = ({ id }: { id: string }) => {
    recorded.push(fixture.queue.wasDelivered(id));
    throw new Error("cannot unlink");
  };

  await fixture.agent({ onDelivered }).runOnce();

  assertEquals(recorded, [true, true]);
  assert(fixture.logged.some((line) => /Cannot tidy .*unlink/.test(line)));
});

Deno.test("The agent never sends other bytes under a key than were handed over", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const path = fixture.dir.write("a", "before");
  const { size, mtime } = Deno.statSync(path);
  const identity = { size, mtimeMs: mtime!.getTime() };
  const id = fixture.queue.enqueue(path, {}, { identity });
  Deno.writeTextFileSync(path, "afterwards");

  await fixture.agent().runOnce();

  assertEquals(server.uploads.length, 0);
  assertEquals(fixture.queue.get(id)!.status, "failed");
});

Deno.test("The agent never sends other bytes under a key than it has sent before", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  server.answer = () => new Response("no answer", { status: 504 });
  const [id] = fixture.enqueue("a");
  await fixture.agent().runOnce();
  assertEquals(server.uploads.length, 1);

  server.answer = created;
  fixture.dir.write("a", "other bytes");
  fixture.queue.makeAllDue();
  fixture.throttle.hurry();
  await fixture.agent().runOnce();

  assertEquals(server.uploads.length, 1);
  assertEquals(fixture.queue.get(id!)!.status, "failed");
});

Deno.test("The agent tells the server the same of a capture at every attempt, whatever its host is called and its file is touched", async () => {
  await using server = new CaptureServer();
  await using fixture = new AgentFixture(server.url);
  const { queue, dir } = fixture;
  const elsewhere = { hostname: "kiosk-7" };
  const path = dir.write("known", "bytes");
  using file = openRegularFile(path);
  const { identity } = file;
  const ids = [
    queue.enqueue(dir.write("unknown", "1"), {}, elsewhere),
    queue.enqueue(path, {}, {
      ...elsewhere,
      identity,
      sha256: sha256Of("bytes"),
    }),
    queue.enqueue(dir.write("nameless", "2")),
  ];
  using raw = openDatabase(queue.path);
  raw.exec(`UPDATE captures SET hostname = NULL WHERE id = '${ids[2]}'`);
  server.answer = () => new Response("stored, but", { status: 503 });
  await fixture.agent().runOnce();
  // Nobody has sent it from anywhere before.
  assertEquals(queue.get(ids[2]!)!.hostname, Deno.hostname());

  for (const name of ["known", "unknown", "nameless"]) {
    Deno.utimeSync(dir.join(name), 1, 1);
  }
  server.answer = created;
  queue.makeAllDue();
  fixture.throttle.hurry();
  assertEquals((await fixture.agent().runOnce()).delivered, 3);

  for (const id of ids) {
    const told = server.uploads.filter(({ key }) => key === id)
      .map(({ metadata }) => JSON.stringify(metadata));
    assertEquals(told.length > 1, true, id);
    assertEquals(new Set(told).size, 1, told.join("\n"));
  }
  const last = server.uploads.find(({ key }) => key === ids[0])!;
  assertEquals(last.metadata.hostname, "kiosk-7");
});
