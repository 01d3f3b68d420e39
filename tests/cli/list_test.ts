import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { runCommandLine } from "../../sync/cli/cli.ts";
import { CaptureServer } from "../helpers/capture_server.ts";
import { Host } from "../helpers/host.ts";
import { around } from "../helpers/in_process.ts";

interface Listed {
  filepath: string;
  [name: string]: unknown;
}

const HOUR_MS = 3_600_000;

/** A host with captures of several ages, of which some failed. */
function filled(): Host {
  const host = new Host();
  host.makeDir("data");
  using queue = host.queue();
  const ids = ["day.png", "hour.jpg", "new.png", "newest.txt"].map((name, at) =>
    queue.enqueue(`/cam/${name}`, {}, {
      createdAtMs: Date.now() - [24.5, 1.5, 0.1, 0][at]! * HOUR_MS,
      identity: { size: 1500 * 10 ** at, mtimeMs: 0 },
    })
  );
  queue.complete([
    { id: ids[0]!, kind: "discard", error: "HTTP 422: Bad Picture" },
    { id: ids[1]!, kind: "discard", error: "HTTP 413: too large" },
    { id: ids[2]!, kind: "discard", error: "HTTP 413: too large" },
  ]);
  return host;
}

Deno.test("list filters by time, reason, name and status, and says how many more there are", async () => {
  await using host = filled();
  const names = async (...args: string[]) =>
    (await host.json<Listed[]>("list", ...args))
      .map(({ filepath }) => filepath.replace(/.*\/(.*)\..*/, "$1")).join();
  assertEquals(await names(), "day,hour,new,newest");
  assertEquals(await names("--since=2h"), "hour,new,newest");
  const yesterday = new Date(Date.now() - 30 * HOUR_MS).toISOString();
  assertEquals(await names("--since", yesterday), "day,hour,new,newest");
  assertEquals(await names("--reason", "bad picture"), "day");
  assertEquals(await names("--path", "*.png"), "day,new");
  assertEquals(await names("--path", "/cam/n*"), "new,newest");
  assertEquals(await names("--path", "/cam/n*", "--status=failed"), "new");
  const some = await host.run("list", "--path=*.png", "--limit=1");
  assertStringIncludes(some.stdout, "day.png");
  assertStringIncludes(some.stderr, "1 more is not shown");
  assertEquals((await host.run("list", "--since=soon")).code, 2);
  assertEquals((await host.run("list", "--status=lost")).code, 2);
});

Deno.test("list stands in columns, with age, size and next try", async () => {
  await using host = filled();
  const { stdout } = await host.run("list");
  const lines = stdout.split("\n").filter((line) => line.includes("/cam/"));
  assertEquals(new Set(lines.map((line) => line.indexOf("/cam/"))).size, 1);
  assertMatch(
    lines[0]!,
    /^\S{36} {2}failed \(1 attempt\) {2,}1d \S+ old +1\.5 kB +\/cam\/day\.png$/,
  );
  assertStringIncludes(lines[3]!, "pending, due now");
});

Deno.test("list --group counts by reason, the most frequent first", async () => {
  await using host = filled();
  const { stdout } = await host.run("list", "--group=reason");
  assertMatch(
    stdout,
    /^2 {2}the oldest 1h \S+ old +HTTP 413: too large\n1 {2}the oldest .*Bad Picture\n1 .*no error yet\n$/,
  );
  const groups = await host.json<Listed[]>("list", "--group=reason");
  assertEquals(groups.map(({ reason, count }) => [reason, count]), [
    ["HTTP 413: too large", 2],
    ["HTTP 422: Bad Picture", 1],
    [null, 1],
  ]);
});

Deno.test("list --group and status count what differs in the path alone as one reason", async () => {
  await using host = new Host();
  host.makeDir("data");
  const paths = ["/cam/a.png", "/cam/b.png"];
  using queue = host.queue();
  queue.complete(paths.map((path) => ({
    id: queue.enqueue(path, {}),
    kind: "discard",
    error: `Cannot read "${path}": gone`,
  })));
  const expected = [['Cannot read "…": gone', 2]];
  const counted = (groups: Listed[]) =>
    groups.map(({ reason, count }) => [reason, count]);
  const groups = await host.json<Listed[]>("list", "--group=reason");
  assertEquals(counted(groups), expected);
  const { failedByReason } = await host.json<
    { failedByReason: Listed[] }
  >("status");
  assertEquals(counted(failedByReason), expected);
});

Deno.test("history shows what was delivered, the latest first, with the server's id", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  await host.enqueue(host.write("a.png", "12345"));
  await host.run("sync");
  await host.enqueue(host.write("b.png"));
  await host.run("sync");
  const [b, a] = await host.json<Listed[]>("history");
  assertEquals([a!.filepath, b!.filepath], [
    host.join("a.png"),
    host.join("b.png"),
  ]);
  assertEquals([a!.size, a!.attempts], [5, 1]);
  assertEquals(typeof a!.elapsedMs, "number");
  const { stdout, stderr } = await host.run("history", "--limit=1");
  assertMatch(stdout, /^\d{4}-\S+Z {2}\S{36} {2}5 B {2}\d+\.\d s {2}\S+ {2}/);
  assertStringIncludes(stdout, String(b!.serverId));
  assertStringIncludes(stderr, "1 more");
  const listed = await host.json<Listed[]>("list", "--status=delivered");
  assertEquals(listed, [b!, a!]);
  const named = await host.json<Listed[]>("history", "--path=a.*");
  assertEquals(named, [a!]);
});

/** A host with many captures that failed, and what it prints piece by piece. */
function crowded(count: number): { host: Host; run: typeof pieces } {
  const host = new Host();
  host.makeDir("data");
  using queue = host.queue();
  const ids = queue.enqueueMany(
    Array.from({ length: count }, (_, n) => ({
      filepath: `/cam/${n}.png`,
      metadataJson: "{}",
    })),
  );
  queue.complete(ids.map((id) => ({ id, kind: "discard", error: "no" })));
  return { host, run: pieces };

  async function pieces(...args: string[]): Promise<string[]> {
    const { surroundings } = around(host.env);
    const said: string[] = [];
    const out = (line: string, end = "\n") => void said.push(line + end);
    assertEquals(
      await runCommandLine(args, { ...surroundings, out }),
      0,
    );
    return said;
  }
}

Deno.test("list and history print one line of JSON, however many there are, and hold some hundreds of them at a time", async () => {
  const { host, run } = crowded(1_200);
  await using _host = host;
  {
    using queue = host.queue();
    const done = queue.captures().take(600).toArray();
    queue.complete(done.map(({ id }) => ({ id, kind: "delivered" })));
  }
  for (
    const [args, count] of [
      [["list", "--limit", "5000", "--json"], 600],
      [["list", "--limit", "550", "--json"], 550],
      [["history", "--limit", "5000", "--json"], 600],
    ] as const
  ) {
    const pieces = await run(...args);
    assertEquals(JSON.parse(pieces.join("")).length, count);
    assertEquals(pieces.join("").trimEnd().split("\n").length, 1);
    for (const piece of pieces) {
      assert(piece.split('"filepath"').length <= 501, "too many at a time");
    }
  }
  assertEquals(await run("list", "--path", "nothing", "--json"), ["[]\n"]);
});

Deno.test("list keeps its columns below each other over many rows", async () => {
  const { host, run } = crowded(1_200);
  await using _host = host;
  const lines = (await run("list", "--limit", "5000"))
    .filter((line) => line.includes("/cam/"));
  assertEquals(lines.length, 1_200);
  assertEquals(new Set(lines.map((line) => line.indexOf("/cam/"))).size, 1);
});

Deno.test("retry and cleanup reach every capture of many, each once", async () => {
  const { host, run } = crowded(1_200);
  await using _host = host;
  const told = await run("cleanup", "--days", "0", "--dry-run");
  assertEquals(new Set(told).size, 1_200);
  const retried = await run("retry", "--reason", "no");
  assertEquals([retried.length, new Set(retried).size], [1_200, 1_200]);
  const again = await run("retry", "--all");
  assertEquals([again.length, new Set(again).size], [1_200, 1_200]);
  {
    using queue = host.queue();
    const failed = queue.captures().take(1_100).toArray();
    queue.complete(
      failed.map(({ id }) => ({ id, kind: "discard", error: "no" })),
    );
  }
  assertEquals(await run("cleanup", "--days", "0"), [
    "1100 failed captures removed\n",
  ]);
  using queue = host.queue();
  assertEquals(queue.getStats().pending, 100);
});

Deno.test("list and show give the numbers of metadata as they are written, in JSON too", async () => {
  await using host = new Host();
  const metadata = '{"n":12345678901234567890,"k":1e400,"z":1.0}';
  const path = host.write("a.png");
  const { stdout: id } = await host.run(
    ...["enqueue", "--metadata-json", metadata, path],
  );
  for (const command of [["list"], ["show", id.trim()]]) {
    const { stdout } = await host.run(...command, "--json");
    assertStringIncludes(stdout, `"metadata":${metadata}`);
  }
});
