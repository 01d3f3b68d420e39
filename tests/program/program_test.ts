import { assert, assertEquals, assertMatch } from "@std/assert";
import { CaptureServer, created, deadUrl } from "../helpers/capture_server.ts";
import { runCli, startCli } from "../helpers/cli.ts";
import { eventually } from "../helpers/eventually.ts";
import { TempDir } from "../helpers/temp_dir.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A data directory, and the program on it. */
class Host implements AsyncDisposable {
  readonly dir = new TempDir();
  readonly store = ["--data-dir", this.dir.join("data")];

  run(...args: string[]) {
    return runCli([...args, ...this.store]);
  }

  async json(...args: string[]) {
    const { stdout } = await this.run(...args, "--json");
    return JSON.parse(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dir[Symbol.asyncDispose]();
  }
}

Deno.test("enqueue prints an id for each file that is safe, and exits 1 if one was not", async () => {
  await using host = new Host();
  const [a, b] = [host.dir.write("a", "a"), host.dir.write("b", "b")];
  const { code, stdout, stderr } = await host.run(
    "enqueue",
    a,
    host.dir.join("missing"),
    b,
    "--metadata",
    "door=3",
  );
  assertEquals(code, 1);
  const ids = stdout.trimEnd().split("\n");
  assertEquals(ids.length, 2);
  assert(ids.every((id) => UUID.test(id)), stdout);
  assertMatch(stderr, /missing": no such file/);

  const list = await host.json("list");
  assertEquals(list.map(({ id }: { id: string }) => id), ids);
  const { createdAt, ...first } = list[0];
  assertMatch(createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assertEquals(first, {
    id: ids[0],
    filepath: a,
    metadata: { door: "3" },
    attempts: 0,
    lastAttempt: null,
    nextAttemptAt: null,
    status: "pending",
    lastError: null,
    size: 1,
  });
});

Deno.test("status --json is one object of the shape that scripts read", async () => {
  await using host = new Host();
  const status = await host.json("status", "--server", "http://127.0.0.1:1234");
  const { database, ...rest } = status;
  assertEquals(Object.keys(database).sort(), ["engine", "path", "sqlite"]);
  assert(["ffi", "builtin"].includes(database.engine));
  for (
    const [key, value] of Object.entries({
      pending: 0,
      uploading: 0,
      failed: 0,
      delivered: 0,
      oldestPendingAgeSeconds: null,
      server: {
        url: "http://127.0.0.1:1234",
        state: "unknown",
        reason: null,
        since: null,
        nextProbeAt: null,
        lastDeliveryAt: null,
      },
      agent: {
        running: false,
        pid: null,
        heartbeatAt: null,
        hanging: false,
        problem: null,
      },
    })
  ) assertEquals(rest[key], value, key);
});

Deno.test("a capture survives its maker: enqueued, deleted, delivered byte for byte by sync", async () => {
  await using host = new Host();
  await using server = new CaptureServer();
  const path = host.dir.write("door 3.png", "the bytes");
  const { stdout: id } = await host.run("enqueue", path);
  Deno.removeSync(path);

  const { code } = await host.run("sync", "--server", server.url);

  assertEquals(code, 0);
  assertEquals(server.uploads.map(({ key }) => key), [id.trim()]);
  assertEquals(server.names, ["door 3.png"]);
  assertEquals(new TextDecoder().decode(server.uploads[0]!.bytes), "the bytes");
  assertEquals((await host.json("status")).delivered, 1);
  assertEquals(spoolFiles(host), []);
});

Deno.test("sync exits 75 while the server is down, charges nothing, and says why", async () => {
  await using host = new Host();
  await host.run("enqueue", host.dir.write("a", "a"));
  const { code, stdout } = await host.run("sync", "--server", deadUrl());
  assertEquals(code, 75);
  assertMatch(stdout, /0 delivered, 0 failed, 1 left: Cannot reach the server/);
  assertEquals((await host.json("list"))[0].attempts, 0);
});

Deno.test("upload queues what cannot be delivered now (75), and sync sends it under the same key", async () => {
  await using host = new Host();
  const url = deadUrl();
  const path = host.dir.write("a", "a");
  const { code, stdout } = await host.run(
    "upload",
    path,
    "--json",
    "--server",
    url,
  );
  assertEquals(code, 75);
  const { id, queued, success } = JSON.parse(stdout);
  assertEquals([queued, success], [true, false]);

  await using server = new CaptureServer({ port: Number(new URL(url).port) });
  await host.run("sync", "--server", url);
  assertEquals(server.uploads.map(({ key }) => key), [id]);
});

Deno.test("upload exits 1 with the server's words for what it refuses, and queues nothing", async () => {
  await using host = new Host();
  await using server = new CaptureServer();
  server.answer = () => new Response("not a picture", { status: 415 });
  const path = host.dir.write("a", "a");
  const { code, stdout, stderr } = await host.run(
    "upload",
    path,
    "--server",
    server.url,
  );
  assertEquals(code, 1);
  assertMatch(stdout + stderr, /HTTP 415: not a picture/);
  assertEquals((await host.json("status")).pending, 0);
});

Deno.test("a failed capture keeps its error, is retried on request, and removed on request", async () => {
  await using host = new Host();
  await using server = new CaptureServer();
  server.answer = () => new Response("no", { status: 422 });
  await host.run("enqueue", host.dir.write("a", "a"), host.dir.write("b", "b"));
  await host.run("sync", "--server", server.url);
  const failed = await host.json("list", "--status", "failed");
  assertEquals(failed.map((c: { lastError: string }) => c.lastError), [
    "HTTP 422: no",
    "HTTP 422: no",
  ]);

  const { stdout } = await host.run("remove", failed[0].id);
  assertEquals(stdout.trim(), failed[0].id);
  server.answer = created;
  await host.run("retry", "--failed");
  assertEquals((await host.run("sync", "--server", server.url)).code, 0);
  assertEquals((await host.json("status")).delivered, 1);
  assertEquals(spoolFiles(host), []);
});

Deno.test("run delivers what is enqueued beside it, refuses a second agent, and ends on SIGTERM", async () => {
  await using host = new Host();
  await using server = new CaptureServer();
  const args = ["run", "--server", server.url, ...host.store];
  await using agent = startCli(args);
  await agent.said("Delivering to");

  await host.run("enqueue", host.dir.write("a", "a"));
  await eventually("it is delivered", () => server.names.includes("a"));
  const second = await runCli(args);
  assertEquals(second.code, 1);
  assertMatch(second.stderr, new RegExp(`process ${agent.pid}`));
  const status = await host.json("status");
  const { running, pid, hanging } = status.agent;
  assertEquals({ running, pid, hanging }, {
    running: true,
    pid: agent.pid,
    hanging: false,
  });

  const sync = await host.run("sync");
  assertEquals(sync.code, 0, sync.stderr);
  agent.kill("SIGTERM");
  assertEquals((await agent.ended()).code, 0);
  assertEquals((await host.json("status")).agent.running, false);
});

Deno.test("run --watch delivers finished files with their sidecars, and none again after a restart", async () => {
  await using host = new Host();
  await using server = new CaptureServer();
  const folder = host.dir.join("folder");
  host.dir.write("folder/a.png", "a");
  host.dir.write("folder/a.png.json", '{"door": 3}');
  host.dir.write("folder/.hidden", "-");
  host.dir.write("folder/b.part", "-");
  const args = [
    "run",
    "--server",
    server.url,
    "--watch",
    folder,
    "--settle",
    "0.1",
    ...host.store,
  ];
  for (const name of ["in/c.txt", "d.txt"]) {
    await using agent = startCli(args);
    await agent.said("Watching");
    host.dir.write(`folder/${name}`, name);
    await eventually(
      `${name} is delivered`,
      () => server.names.includes(name.slice(-5)),
    );
    agent.kill("SIGTERM");
    await agent.ended();
  }
  assertEquals(server.names.toSorted(), ["a.png", "c.txt", "d.txt"]);
  const [a] = server.uploads.filter(({ filename }) => filename === "a.png");
  assertEquals(a!.metadata.door, 3);
});

Deno.test("the token goes to the server and nowhere else", async () => {
  await using host = new Host();
  await using server = new CaptureServer();
  server.answer = () =>
    new Response("Bearer s3cret-t0ken is unknown", { status: 400 });
  const file = host.dir.write("token", "s3cret-t0ken\n");
  await host.run("enqueue", host.dir.write("a", "a"));
  const sync = await host.run(
    "sync",
    "--server",
    server.url,
    "--token-file",
    file,
  );
  const list = await host.run("list", "--json");
  const said = sync.stdout + sync.stderr + list.stdout;
  assert(!said.includes("s3cret"), said);
  assertMatch(list.stdout, /HTTP 400: Bearer/);
});

Deno.test({
  name: "queue and spool are the user's alone, whatever the umask",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using host = new Host();
    const before = Deno.umask(0);
    try {
      await host.run("enqueue", host.dir.write("a", "a"));
    } finally {
      Deno.umask(before);
    }
    const mode = (name: string) =>
      Deno.statSync(host.dir.join("data", name)).mode! & 0o777;
    assertEquals([mode(""), mode("spool"), mode("queue.db")], [
      0o700,
      0o700,
      0o600,
    ]);
  },
});

Deno.test("a command line that cannot be used exits 2 and says what was expected", async () => {
  await using host = new Host();
  const file = host.dir.write("a", "a");
  const cases: [string[], RegExp][] = [
    [["statsu"], /Unknown command "statsu"; did you mean "status"/],
    [["list", "--limt", "3"], /--limt.*did you mean --limit/],
    [["list", "--limit", "many"], /--limit "many": expected a whole number/],
    [
      ["list", "--status", "gone"],
      /--status "gone": expected pending, uploading, failed or delivered/,
    ],
    [["enqueue"], /FILE/],
    [["enqueue", file, "--metadata", "door"], /KEY=VALUE/],
    [["enqueue", file, "--metadata-json", "[1]"], /expected a JSON object/],
    [["enqueue", file, "--metadata-json", "{"], /expected a JSON object/],
    [["sync"], /--server URL or JARVIS_SERVER_URL/],
    [["sync", "--server", "captures.example.org"], /expected an address like/],
    [["sync", "--server", "http://user:pw@localhost"], /credentials/],
    [["sync", "--server", "http://captures.example.org"], /--allow-insecure/],
    [
      ["sync", "--server", "http://localhost", "--concurrency", "0"],
      /--concurrency "0"/,
    ],
    [["sync", "--server", "http://localhost", "--token", "x"], /--token-file/],
    [["run", "--server", "http://localhost", "--watch", file], /--watch/],
  ];
  for (const [args, expected] of cases) {
    const { code, stderr } = await host.run(...args);
    assertEquals(code, 2, `${args.join(" ")}: ${stderr}`);
    assertMatch(stderr, expected);
    assert(!stderr.includes("pw"), "no credentials");
  }
});

Deno.test("a data directory or a queue that cannot be used is told in one line", async () => {
  await using host = new Host();
  const file = host.dir.write("file", "");
  const inFile = await runCli(["status", "--data-dir", `${file}/data`]);
  assertEquals(inFile.code, 1);
  assertMatch(inFile.stderr, /^jarvis-agent: Cannot use the data directory/);
  assertEquals(inFile.stderr.trimEnd().split("\n").length, 1, inFile.stderr);
});

Deno.test("every command has a help with an example", async () => {
  const { stdout } = await runCli(["--help"]);
  const names = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) =>
    name!
  );
  assert(names.includes("enqueue") && names.length >= 11, stdout);
  for (const name of names) {
    const { code, stdout } = await runCli([name, "--help"]);
    assertEquals(code, 0);
    assertMatch(stdout, new RegExp(`Example:\\n {2}jarvis-agent ${name}`));
  }
});

/** What is left in the spool, but for its folders. */
function spoolFiles(
  host: Host,
  dir = host.dir.join("data", "spool"),
): string[] {
  return [...Deno.readDirSync(dir)].flatMap(({ name, isDirectory }) =>
    isDirectory ? spoolFiles(host, `${dir}/${name}`) : [name]
  ).filter((name) => name !== "records.jsonl");
}
