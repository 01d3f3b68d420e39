import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { FakeTime } from "@std/testing/time";
import type { StatusReport } from "../../sync/monitor/status_report.ts";
import { openDatabase } from "../../sync/queue/sqlite.ts";
import { CaptureServer, deadUrl } from "../helpers/capture_server.ts";
import { eventually } from "../helpers/eventually.ts";
import { Host } from "../helpers/host.ts";
import { runInProcess } from "../helpers/in_process.ts";
import { AS_PLAIN_USER, HAS_PERMISSIONS } from "../helpers/plain_user.ts";
import { ScriptedServer } from "../helpers/scripted_server.ts";
import { reportWith } from "../helpers/status_report.ts";

const UUID =
  /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** What is in a folder. */
function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name);
}

interface Listed {
  id: string;
  status: string;
  [name: string]: unknown;
}

Deno.test("a queue that another process holds locked is a temporary failure, which says what to do", async () => {
  await using host = new Host();
  await host.enqueue(host.write("a.png"));
  using other = openDatabase(`${host.dataDir}/queue.db`);
  other.exec("BEGIN IMMEDIATE");
  const commands = [["retry", "--all"], ["enqueue", host.write("b.png")]];
  const ended = await Promise.all(commands.map((args) => host.run(...args)));
  for (const { code, stderr } of ended) {
    assertEquals(code, 75);
    assertStringIncludes(stderr, "holds the queue locked: try again later");
  }
});

Deno.test(
  "records that a stopped process holds locked are a temporary failure, which says what to do",
  {
    // Older ones can only wait.
    ignore: !("tryLockSync" in Deno.FsFile.prototype),
  },
  async () => {
    await using host = new Host();
    await host.enqueue(host.write("a.png"));
    const path = `${host.dataDir}/spool/records.jsonl`;
    using records = Deno.openSync(path, { append: true });
    records.lockSync(true);
    await using enqueue = host.start("enqueue", host.write("b.png"));
    await enqueue.said("let it go on if it was stopped");
    assertEquals((await enqueue.ended()).code, 75);
    records.unlockSync();
    await host.enqueue(host.join("b.png"));
    assertEquals((await host.json<Listed[]>("list")).length, 2);
  },
);

Deno.test("enqueue queues what it can, says what it cannot, and exits 1 then", async () => {
  await using host = new Host();
  await host.enqueue(host.write("first"));
  const paths = ["a", "b", "c"].map((name) => host.write(name));
  const { code, stdout, stderr } = await host.run(
    "enqueue",
    paths[0]!,
    paths[1]!,
    host.join("missing"),
    paths[2]!,
  );
  const ids = stdout.trimEnd().split("\n");
  assertEquals([code, ids.length], [1, 3]);
  ids.forEach((id) => assertMatch(id, UUID));
  assertEquals(
    stderr,
    `jarvis-agent: Cannot read "${host.join("missing")}": no such file\n`,
  );
  const listed = await host.json<Listed[]>("list");
  assertEquals(listed.slice(1).map(({ id }) => id), ids);
});

Deno.test("enqueue says where it makes a new queue, which need not be the agent's, and says it once", async () => {
  await using host = new Host();
  const path = host.write("a");
  const said = [
    await host.run("enqueue", path),
    await host.run("enqueue", path),
  ];
  assertEquals(said.map(({ code, stderr }) => [code, stderr]), [
    [
      0,
      `jarvis-agent: Made a new queue in "${host.dataDir}": only an agent with that data directory delivers what is in it\n`,
    ],
    [0, ""],
  ]);
});

Deno.test("enqueue prints an id as soon as its row is committed", async () => {
  await using host = new Host();
  await using enqueue = host.start("enqueue", ...host.writeMany(2_000));
  await eventually("the first id", () => enqueue.stdout.includes("\n"));
  using queue = host.queue();
  const [first] = enqueue.stdout.split("\n");
  assert(queue.get(first!), "it is in the queue");
  enqueue.kill("SIGKILL");
  const { stdout } = await enqueue.ended();
  const ids = stdout.trimEnd().split("\n");
  assert(ids.length < 2_000, "it was killed before its end");
  assert(ids.every((id) => queue.get(id)), "every id that was printed is kept");
});

Deno.test("enqueue --json tells which file has which id, and takes metadata", async () => {
  await using host = new Host();
  const path = host.write("a.png", "12345");
  const { id, filepath } = await host.json<Listed>(
    "enqueue",
    path,
    ...["--metadata-json", '{"door": 1, "tags": ["x"]}'],
    ...["--metadata", "door=3", "--metadata", "note=a=b"],
  );
  assertEquals(filepath, path);
  const [listed] = await host.json<Listed[]>("list");
  const { createdAt, ...rest } = listed!;
  assertMatch(String(createdAt), TIME);
  assertEquals(rest, {
    id,
    filepath: path,
    metadata: { door: "3", tags: ["x"], note: "a=b" },
    attempts: 0,
    lastAttempt: null,
    nextAttemptAt: null,
    status: "pending",
    lastError: null,
    size: 5,
  });
});

Deno.test("enqueue copies, takes the file away with --move, or leaves it with --no-copy and says so", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const there = (name: string) => host.join(name);
  const modes = { copy: [], move: ["--move"], reference: ["--no-copy"] };
  for (const [name, args] of Object.entries(modes)) {
    const { code, stderr } = await host.run(
      "enqueue",
      host.write(name),
      ...args,
    );
    assertEquals(code, 0);
    assertEquals(
      stderr.includes(
        "No copy is kept: the file must stay where it is, unchanged, until it is delivered",
      ),
      name === "reference",
    );
  }
  assert(!names(there(".")).includes("move"));
  const listed = await host.json<Listed[]>("list");
  assertEquals(
    listed.map(({ filepath }) => filepath),
    Object.keys(modes).map(there),
  );
  assertEquals((await host.run("sync")).code, 0);
  assertEquals(server.names.toSorted(), Object.keys(modes));
  assertEquals(names(there(".")).sort(), ["copy", "data", "reference"]);
  const both = await host.run("enqueue", there("copy"), "--move", "--no-copy");
  assertEquals(both.code, 2);
});

Deno.test(
  "enqueue --move queues nothing of a file that it cannot remove, however often it is tried",
  {
    ignore: !HAS_PERMISSIONS,
  },
  async () => {
    await using host = new Host();
    host.through = AS_PLAIN_USER;
    const moved = host.write("in/moved.png");
    // Which is not moved but copied.
    const copied = host.write("in/copied.png");
    Deno.linkSync(copied, host.join("other name"));
    Deno.chmodSync(host.join("in"), 0o500);
    for (let times = 0; times < 2; times++) {
      const { code, stdout, stderr } = await host.run(
        ...["enqueue", "--move", moved, copied],
      );
      assertEquals([code, stdout], [1, ""]);
      for (const path of [moved, copied]) {
        assertStringIncludes(
          stderr,
          `jarvis-agent: Cannot move "${path}": it cannot be removed from its folder (permission denied)`,
        );
      }
      assertEquals(names(host.join("in")).sort(), ["copied.png", "moved.png"]);
    }
    const { pending, spool } = await host.status();
    assertEquals([pending, spool.bytes], [0, 0]);
    Deno.chmodSync(host.join("in"), 0o700);
    const { code, stderr } = await host.run("enqueue", "--move", moved, copied);
    assertEquals([code, stderr, names(host.join("in"))], [0, "", []]);
    assertEquals((await host.status()).pending, 2);
  },
);

Deno.test("list shows the oldest first, by status, and so many", async () => {
  await using host = new Host();
  const ids = await host.enqueue(host.write("a"), host.write("b\nb"));
  const [a, b] = ids as [string, string];
  const third = await host.enqueue(host.write("c"));
  {
    using queue = host.queue();
    queue.claim(1);
    queue.complete([{ id: a, kind: "discard", error: "HTTP 422: no" }]);
    queue.markUploading(b);
    queue.markFailed(b, "HTTP 500");
  }
  const all = await host.json<Listed[]>("list");
  assertEquals(all.map(({ id }) => id), [...ids, ...third]);
  assertEquals(all[0]!.lastError, "HTTP 422: no");
  assertEquals([all[1]!.attempts, all[1]!.status], [1, "pending"]);
  for (const time of [all[1]!.lastAttempt, all[1]!.nextAttemptAt]) {
    assertMatch(String(time), TIME);
  }
  const failed = await host.json<Listed[]>("list", "--status", "failed");
  assertEquals(failed.map(({ id }) => id), [a]);
  const { stdout, stderr } = await host.run("list", "--limit=2");
  assertStringIncludes(stderr, "1 more is not shown");
  const lines = stdout.trimEnd().split("\n");
  assertEquals(lines.length, 4, stdout);
  assertStringIncludes(lines[0]!, `${a}  `);
  assertStringIncludes(lines[1]!, "    HTTP 422: no");
  assertStringIncludes(lines[2]!, "b\\nb");
});

Deno.test("retry makes captures due, by id and by kind, and says which it cannot", async () => {
  await using host = new Host();
  const ids = await host.enqueue(...["a", "b", "c"].map((n) => host.write(n)));
  const [a, b, c] = ids as [string, string, string];
  const spoil = () => {
    using queue = host.queue();
    queue.complete([
      { id: a, kind: "discard", error: "no" },
      { id: b, kind: "charge", error: "later" },
      { id: c, kind: "discard", error: "no" },
    ]);
  };
  spoil();
  const one = await host.run("retry", a, "nonsense");
  assertEquals([one.code, one.stdout], [1, `${a}\n`]);
  assertStringIncludes(one.stderr, 'Cannot retry "nonsense": no such capture');
  const failed = await host.run("retry", "--failed");
  assertEquals([failed.code, failed.stdout], [0, `${c}\n`]);
  spoil();
  assertEquals(
    (await host.run("retry", "--all")).stdout,
    `${ids.join("\n")}\n`,
  );
  for (const row of await host.json<Listed[]>("list")) {
    const { status, attempts, nextAttemptAt, lastError } = row;
    assertEquals([status, attempts, nextAttemptAt, lastError], [
      ...["pending", 0],
      ...[null, null],
    ]);
  }
});

Deno.test("remove takes captures out with their copies, and says which it cannot", async () => {
  await using host = new Host();
  const [a, b] = await host.enqueue(host.write("a"), host.write("b"));
  const { code, stdout, stderr } = await host.run("remove", a!, "nonsense");
  assertEquals([code, stdout], [1, `${a}\n`]);
  assertStringIncludes(stderr, 'Cannot remove "nonsense": no such capture');
  assertEquals((await host.json<Listed[]>("list"))[0]!.id, b);
  assertEquals((await host.run("remove", b!)).code, 0);
  const spool = [...Deno.readDirSync(`${host.dataDir}/spool`)];
  const left = spool.filter(({ isDirectory }) => isDirectory)
    .flatMap(({ name }) => [
      ...Deno.readDirSync(`${host.dataDir}/spool/${name}`),
    ]);
  assertEquals(left, []);
});

Deno.test("cleanup removes what failed so many days ago, and nothing else", async () => {
  await using host = new Host();
  const ids = await host.enqueue(...["a", "b"].map((name) => host.write(name)));
  {
    using queue = host.queue();
    queue.complete([{ id: ids[0]!, kind: "discard", error: "no" }]);
  }
  const said = async (...args: string[]) =>
    (await host.run("cleanup", ...args)).stdout;
  assertEquals(await said(), "0 failed captures removed\n");
  assertEquals(await said("--days=0", "--dry-run"), `${ids[0]}\n`);
  assertEquals(await said("--days=0"), "1 failed capture removed\n");
  assertEquals((await host.json<Listed[]>("list")).length, 1);
});

Deno.test("status --json is what scripts were promised", async () => {
  await using host = new Host("http://127.0.0.1:9");
  const empty = await host.json<StatusReport>("status");
  const { database, time, version } = empty;
  const nothing = reportWith({
    version,
    time,
    server: { url: "http://127.0.0.1:9", state: "unknown" },
    agent: { running: false, pid: null },
    spool: { minFreeBytes: 256 * 1024 * 1024 },
    database,
    advice: [
      'No agent runs: "jarvis-agent service install" keeps one running, "jarvis-agent run" is one',
    ],
    verdict: { level: "failure", text: "no agent runs" },
  });
  assertEquals(empty, nothing);
  assert(["ffi", "builtin"].includes(database.engine ?? ""));
  await host.enqueue(host.write("a"));
  const status = await host.json<{ pending: number }>("status");
  assertEquals(status.pending, 1);
  const { stdout } = await host.run("status");
  assertMatch(stdout, /^Captures {2}1 pending \(the oldest for [^)]+\), 0 up/);
  assertStringIncludes(stdout, "Server    http://127.0.0.1:9: unknown\n");
  assertStringIncludes(stdout, "Agent     not running\n");
});

Deno.test("check exits 0 if the server is ready, else 75", async () => {
  await using server = new CaptureServer();
  await using host = new Host(server.url);
  const ready = await host.run("check");
  assertEquals([ready.code, ready.stdout], [0, `${server.url} is ready\n`]);
  server.ready = false;
  const { code, stdout } = await host.run("check");
  assertEquals(
    [code, stdout],
    [75, `${server.url} is not ready: HTTP 503\n`],
  );
  assertEquals((await host.run("check", "--server", deadUrl())).code, 75);
  // It needs no place for a queue, nor any home.
  await using homeless = new Host(server.url, {
    JARVIS_DATA_DIR: "",
    HOME: "",
  });
  server.ready = true;
  assertEquals((await homeless.run("check")).code, 0);
});

Deno.test("check waits for an answer as long as --timeout says, else 5 s", async () => {
  for (const [given, seconds] of [["1", 1], ["12", 12], [undefined, 5]]) {
    const asked = Promise.withResolvers<void>();
    await using server = new ScriptedServer([(request) => {
      asked.resolve();
      return request.idle();
    }]);
    const options = given ? ["--timeout", `${given}`] : [];
    using time = new FakeTime();
    const check = runInProcess(["check", "--server", server.url, ...options]);
    await asked.promise;
    time.tick(12_000);
    assertEquals(await check, {
      code: 75,
      stdout:
        `${server.url} is not ready: Cannot reach the server: it gave no answer within ${seconds} s\n`,
      stderr: "",
    });
  }
});

Deno.test("check and whatever else needs a server ask for one", async () => {
  await using host = new Host();
  for (const args of [["check"], ["run"], ["sync"], ["upload", "x"]]) {
    const { code, stderr } = await host.run(...args);
    assertEquals(code, 2);
    assertStringIncludes(stderr, "expected --server URL or JARVIS_SERVER_URL");
  }
  // Each says so before it makes anything.
  assertEquals(names(host.join(".")), []);
});
