/** A host whose `queue.db` is damaged at its head, and what is nowhere but in there. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";

const PAGE = 4096;
const LENGTHS = [16, 100, 300, PAGE];

/** Changes the bytes of the closed queue. */
function damage(
  host: Host,
  change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array,
): void {
  const path = `${host.dataDir}/queue.db`;
  Deno.writeFileSync(path, change(Deno.readFileSync(path)));
}

for (const length of LENGTHS) {
  Deno.test(`what was handed over with --no-copy is delivered under its id after the first ${length} bytes of the queue were damaged`, async () => {
    await using server = new CaptureServer();
    await using host = new Host(server.url);
    const file = host.write("frame.raw");
    const ids = await host.enqueue("--no-copy", file);
    damage(host, (bytes) => bytes.fill(0xa5, 0, length));
    const { code, stderr } = await host.run("sync");
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, "1 of its captures could be read");
    assertEquals(server.uploads.map(({ key }) => key), ids);
    const { advice } = await host.status();
    assertStringIncludes(
      advice.join(),
      ": all of it was taken over: remove it when it is of no more use",
    );
  });
}

Deno.test("a watched file without a copy that was tried keeps its key, and none delivered is sent again, once the queue's head was damaged", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  {
    await using agent = await host.watch("--copy-up-to=1");
    host.write("in/delivered.raw");
    await eventually("it is delivered", async () => {
      return (await host.status()).delivered === 1;
    });
    server.answer = () => new Response("busy", { status: 429 });
    host.write("in/tried.raw");
    await eventually("it was tried", () => server.uploads.length >= 2);
    await agent.stop();
  }
  const [, { key }] = server.uploads as [unknown, { key: string }];
  server.uploads.length = 0;
  server.answer = created;
  damage(host, (bytes) => bytes.fill(0xa5, 0, PAGE));
  await using agent = await host.watch("--copy-up-to=1");
  await host.run("sync");
  await eventually("it arrives", () => server.uploads.length > 0);
  // A file that comes later shows that all that lay there was looked at.
  host.write("in/later.raw");
  await eventually(
    "the next one arrives",
    () => server.names.includes("later.raw"),
  );
  await agent.stop();
  assertEquals(server.names, ["tried.raw", "later.raw"]);
  assertEquals(server.uploads[0]!.key, key);
});

Deno.test("status and doctor tell what may be missing after a queue of which nothing could be read", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await host.enqueue("--no-copy", host.write("frame.raw"));
  damage(host, (bytes) => bytes.slice(0, 100));
  const { stderr } = await host.run("sync");
  assertStringIncludes(
    stderr,
    "0 of its captures could be read and are queued, the agent takes up those in the spool; not all could be read: those handed over with --no-copy, or larger than --copy-up-to, may be missing",
  );
  const said =
    "hand over again what is missing of --no-copy or above --copy-up-to";
  assertStringIncludes((await host.status()).advice.join(), said);
  assertStringIncludes((await host.run("doctor")).stdout, said);
});

Deno.test("watched files whose rows were lost with a damaged page are taken over again, with and without a copy", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const args = ["--copy-up-to=10"];
  {
    await using agent = await host.watch(...args);
    host.write("in/delivered.raw");
    await eventually("it is delivered", async () => {
      return (await host.status()).delivered === 1;
    });
    await host.run("pause");
    host.write("in/small.raw", "small");
    host.write("in/larger.raw", "more than ten bytes");
    await eventually("they wait", async () => {
      return (await host.status()).pending === 2;
    });
    await agent.stop();
    await host.run("resume");
  }
  const before = await host.json<{ id: string; filepath: string }[]>("list");
  server.uploads.length = 0;
  // The only page of the captures, in a queue that was always young.
  damage(host, (bytes) => bytes.fill(0xa5, PAGE, 2 * PAGE));
  await using agent = await host.watch(...args);
  await eventually("both arrive", () => server.uploads.length >= 2);
  await eventually("no more wait", async () => {
    return (await host.status()).pending === 0;
  });
  await agent.stop();
  assertEquals(server.names.toSorted(), ["larger.raw", "small.raw"]);
  const small = before.find(({ filepath }) => filepath.endsWith("small.raw"))!;
  const sent = server.uploads.find(({ filename }) => filename === "small.raw")!;
  assertEquals(sent.key, small.id);
});
