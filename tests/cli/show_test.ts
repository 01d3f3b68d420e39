import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CaptureServer, created } from "../helpers/capture_server.ts";
import { Host } from "../helpers/host.ts";

interface Shown {
  history: { status: number; error: string | null; elapsedMs: number }[];
  bytes: { path: string; isCopy: boolean; exists: boolean };
  next: string;
  [name: string]: unknown;
}

Deno.test("show tells of every attempt, also those before a retry, what comes next and where the bytes are", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const path = host.write("a.png", "12345");
  const { id } = await host.json<{ id: string }>(
    ...["enqueue", path, "--metadata", "door=3"],
  );
  server.answer = () => new Response("bad picture", { status: 422 });
  await host.run("sync");
  await host.run("retry", id);
  await host.run("sync");

  const failed = await host.json<Shown>("show", id);
  assertEquals(failed.history.map(({ status }) => status), [422, 422]);
  assertStringIncludes(failed.history[0]!.error!, "bad picture");
  assertEquals(failed.metadata, { door: "3" });
  assertEquals(failed.next, `nothing, until "jarvis-agent retry ${id}"`);
  assertEquals(Deno.readTextFileSync(failed.bytes.path), "12345");
  assertEquals([failed.bytes.isCopy, failed.bytes.exists], [true, true]);

  const { stdout } = await host.run("show", id.slice(0, 20));
  assertMatch(stdout, /^Status {6}failed/m);
  assertMatch(stdout, /^Metadata {4}\{"door":"3"\}$/m);
  assertMatch(stdout, /^Source {6}handed over \(enqueue or upload\)$/m);
  assertMatch(stdout, /^Bytes {7}the agent's copy, \/.*[\da-f]$/m);
  assertMatch(stdout, /^ {2}\d{4}-\S+Z {2}HTTP 422 {2}\d+ ms {2}.*picture/m);

  await host.run("retry", id);
  server.answer = created;
  await host.run("sync");
  const delivered = await host.json<Shown>("show", path);
  assertEquals(delivered.status, "delivered");
  assertEquals(
    delivered.history.map(({ status }) => status),
    [422, 422, 201],
  );
  assertMatch((await host.run("show", id)).stdout, /^Status {5}delivered as /m);
});

Deno.test("show lists the candidates of what is ambiguous, and says what it does not find", async () => {
  await using host = new Host();
  const path = host.write("a");
  const ids = await host.enqueue(path, path);
  const many = await host.run("show", ids[0]!.slice(0, 6));
  assertEquals([many.code, many.stdout], [1, ""]);
  ids.forEach((id) => assertStringIncludes(many.stderr, id));
  const twice = await host.run("show", path);
  ids.forEach((id) => assertStringIncludes(twice.stderr, id));
  const none = await host.run("show", "ffff");
  assertEquals(none.code, 1);
  assertStringIncludes(none.stderr, 'Cannot show "ffff": no such capture');
  const one = await host.json<Shown>("show", ids[0]!.toUpperCase());
  assertEquals(one.id, ids[0]);
  assertStringIncludes(one.next, "no agent runs");
});
