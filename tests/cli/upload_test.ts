import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { QueuedCapture } from "../../sync/queue/queue.ts";
import { CaptureServer, created, deadUrl } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { HeldAnswer } from "../helpers/held_answer.ts";
import { Host } from "../helpers/host.ts";

/** What `upload --json` prints for one file. */
interface Uploaded {
  id: string;
  queued: boolean;
  [name: string]: unknown;
}

function parseLines(stdout: string): Uploaded[] {
  return stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test("upload delivers files at once, with metadata, and exits 0", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const [a, empty] = [host.write("a.png", "bytes"), host.write("empty", "")];
  const { code, stdout, stderr } = await host.run(
    ...["upload", a, empty, "--metadata", "door=3"],
  );
  assertEquals([code, stderr], [0, ""]);
  const [first, second] = server.uploads;
  assertEquals(
    stdout,
    `${a}: delivered as server-${first!.key}\n` +
      `${empty}: delivered as server-${second!.key}\n`,
  );
  assertEquals(new TextDecoder().decode(first!.bytes), "bytes");
  assertEquals([first!.metadata.door, first!.metadata.size], ["3", 5]);
  assertEquals(second!.bytes.length, 0);
  assertEquals((await host.run("list")).stdout, "");
});

Deno.test("upload queues what cannot be delivered now, exits 75, and it comes later under the same key", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  server.answer = () => new Response("come in later", { status: 401 });
  const path = host.write("a.png");
  const { code, stdout } = await host.run("upload", path);
  assertEquals(code, 75);
  const [refused] = server.uploads;
  assertEquals(
    stdout,
    `${path}: queued as ${
      refused!.key
    }, not delivered yet: HTTP 401: come in later\n`,
  );
  // The copy is its own.
  Deno.removeSync(path);
  server.answer = created;
  assertEquals((await host.run("sync")).code, 0);
  assertEquals(server.uploads[1]!.key, refused!.key);
  assertEquals(server.names, ["a.png", "a.png"]);
});

Deno.test("upload tries a server that cannot be reached with the first file only", async () => {
  await using host = new Host(deadUrl());
  const paths = ["a", "b", "c"].map((name) => host.write(name));
  const { code, stdout } = await host.run("upload", ...paths, "--json");
  assertEquals(code, 75);
  const uploaded = parseLines(stdout);
  assertEquals(uploaded.map(({ attempts }) => attempts), [3, 0, 0]);
  const { id, error, ...rest } = uploaded[0]!;
  assertStringIncludes(String(error), "Cannot reach the server: ");
  assertEquals(rest, {
    filepath: paths[0]!,
    queued: true,
    success: false,
    captureId: null,
    attempts: 3,
  });
  const listed = await host.json<{ id: string }[]>("list");
  assertEquals(listed.map(({ id }) => id), uploaded.map(({ id }) => id));
  assertEquals(listed[0]!.id, id);
  assertEquals(
    uploaded.slice(1).map(({ error }) => error),
    Array(2).fill(
      `not tried, as one before it was not delivered: ${error}`,
    ),
  );
  const groups = await host.json<{ reason: string | null; count: number }[]>(
    ...["list", "--group=reason"],
  );
  assertEquals(
    groups.map(({ reason, count }) => [reason, count]),
    [[null, 2], [error, 1]],
  );
});

Deno.test("upload queues what is answered 4xx by a server whose health page is answered so too", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  server.ready = false;
  server.unreadyStatus = 400;
  server.answer = () => new Response("no certificate", { status: 400 });
  const paths = ["a", "b"].map((name) => host.write(name));
  const { code, stdout } = await host.run("upload", ...paths, "--json");
  assertEquals(code, 75);
  const queued = parseLines(stdout).map(({ queued, error }) => [queued, error]);
  const expected = [true, "HTTP 400: no certificate"];
  assertEquals(queued, [expected, expected]);
  assertEquals(server.uploads.length, 2, "others may pass");
});

Deno.test("upload does not queue what the server refuses, and exits 1", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  server.answer = ({ filename }) =>
    new Response("no", { status: filename === "bad" ? 422 : 401 });
  const paths = ["bad", "later"].map((name) => host.write(name));
  const { code, stdout } = await host.run("upload", ...paths, "--json");
  assertEquals(code, 1);
  const [bad, later] = parseLines(stdout);
  assertEquals([bad!.queued, bad!.error], [false, "HTTP 422: no"]);
  assertEquals(later!.queued, true);
  const said = await host.run("upload", paths[0]!);
  assertEquals(
    [said.code, said.stdout],
    [1, `${paths[0]}: rejected: HTTP 422: no\n`],
  );
  assertEquals((await host.json<unknown[]>("list")).length, 1);
});

Deno.test("upload goes on after a file that is not there, and exits 1", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const { code, stdout, stderr } = await host.run(
    ...["upload", host.join("missing"), host.write("a.png")],
  );
  assertEquals(code, 1);
  assertStringIncludes(stderr, `"${host.join("missing")}": no such file`);
  assertStringIncludes(stdout, "a.png: delivered as");
});

Deno.test("upload that is interrupted queues the file under way and the rest", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  using held = new HeldAnswer();
  server.answer = held.answer;
  await using upload = host.start(
    ...["upload", host.write("a"), host.write("b"), "--json"],
  );
  await eventually("it has begun", () => server.inFlight === 1);
  upload.kill("SIGINT");
  const { code, stdout } = await upload.ended();
  assertEquals(code, 75);
  const uploaded = parseLines(stdout);
  assertEquals(uploaded.map(({ queued }) => queued), [true, true]);
  assertEquals(uploaded[0]!.error, "interrupted");
  assertEquals(uploaded[0]!.id, server.uploads[0]!.key);
  assertEquals((await host.json<unknown[]>("list")).length, 2);
});

Deno.test("upload leaves what it queued to the agent that runs", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  // This program is told to go away, the agent is not.
  server.answer = (upload) =>
    upload.metadata.attempt === "first" && server.uploads.length === 1
      ? new Response(null, { status: 401 })
      : created(upload);
  await using _agent = await host.startAgent();
  const { code } = await host.run(
    ...["upload", host.write("a"), "--metadata", "attempt=first"],
  );
  assertEquals(code, 75);
  await eventually("the agent delivers it", () => server.uploads.length === 2);
  const [first, second] = server.uploads;
  assert(first!.key === second!.key);
});

Deno.test("upload queues a file that changes while it is sent as another capture", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const path = host.write("a.png", "first");
  server.answer = () => {
    host.write("a.png", "second, and longer");
    return new Response(null, { status: 500 });
  };
  const { code, stdout } = await host.run("upload", path);
  assertEquals(code, 75, stdout);
  server.answer = created;
  assertEquals((await host.run("sync")).code, 0);
  const [first, ...rest] = server.uploads.map(({ key, bytes }) => ({
    key,
    text: new TextDecoder().decode(bytes),
  }));
  assertEquals(first!.text, "first");
  assertEquals(rest.map(({ text }) => text), ["second, and longer"]);
  assert(rest[0]!.key !== first!.key, "another key");
  assertStringIncludes(stdout, rest[0]!.key);
});

Deno.test("upload keeps with what it queues why it was not delivered, and for how long the server asks to be left alone", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  server.answer = () =>
    new Response("too many", { status: 429, headers: { "retry-after": "90" } });
  const paths = ["a.png", "b.png"].map((name) => host.write(name));
  const before = Date.now();
  assertEquals((await host.run("upload", ...paths)).code, 75);
  const queued = await host.json<QueuedCapture[]>("list");
  for (const { lastError, nextAttemptAt, attempts } of queued) {
    assertEquals([lastError, attempts], ["HTTP 429: too many", 0]);
    const waitMs = Date.parse(nextAttemptAt!) - before;
    assert(waitMs >= 90_000 && waitMs < 180_000, nextAttemptAt!);
  }
  const [a, b] = await Promise.all(
    paths.map((path) =>
      host.json<{ history: { status: number }[] }>("show", path)
    ),
  );
  assertEquals(a!.history.map(({ status }) => status), [429]);
  assertEquals(b!.history.map(({ status }) => status), [429]);
});

Deno.test("upload delivers all but the one file that is told to come back in years", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  server.answer = (upload) =>
    upload.filename === "1"
      ? new Response(null, {
        status: 503,
        headers: { "retry-after": "9999999" },
      })
      : created(upload);
  const { code } = await host.run(
    "upload",
    ..."123456".split("").map((name) => host.write(name)),
  );
  assertEquals(code, 75);
  assertEquals(server.names, [..."123456"]);
  const queued = await host.json<QueuedCapture[]>("list");
  assertEquals(queued.length, 1);
});

Deno.test("upload sends no more to a server that has told four files in a row to come back later, and lets the agent try the others", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  server.answer = () =>
    new Response("too many", { status: 429, headers: { "retry-after": "90" } });
  await host.run(
    "upload",
    ..."123456".split("").map((name) => host.write(name)),
  );
  assertEquals(server.names, [..."1234"]);
  const queued = await host.json<QueuedCapture[]>("list");
  assertEquals(
    queued.map((
      { lastError, nextAttemptAt },
    ) => [lastError, nextAttemptAt !== null]).sort(),
    // Those that were never sent have no error of their own.
    [
      ...Array.from("56", () => [null, false]),
      ...Array.from("1234", () => ["HTTP 429: too many", true]),
    ],
  );
});

Deno.test("upload keeps why a capture waits that is sent again at once, and nothing of one that a person held up", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  server.answer = () => new Response("who are you", { status: 401 });
  await host.run("upload", host.write("refused"));
  server.answer = created;
  assertEquals((await host.run("pause")).code, 0);
  await host.run("upload", host.write("paused"));
  const queued = await host.json<QueuedCapture[]>("list");
  assertEquals(
    queued.map((
      { status, lastError, nextAttemptAt },
    ) => [status, lastError, nextAttemptAt]),
    [["pending", "HTTP 401: who are you", null], ["pending", null, null]],
  );
});

Deno.test("upload lets the agent wait with a capture that the server has in progress", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  server.answer = () => new Response("in progress", { status: 409 });
  assertEquals((await host.run("upload", host.write("a.png"))).code, 75);
  const [queued] = await host.json<QueuedCapture[]>("list");
  assertEquals(queued!.lastError, "HTTP 409: in progress");
  assert(Date.parse(queued!.nextAttemptAt!) > Date.now() + 30_000);
});
